"""Pages of history: which entries, in which order, how many, and that nothing is left out between two of them."""

from typing import Any

import pytest

from tests.blackbox.hub import ON_BOTH, Hub, Person
from tests.blackbox.line import Line
from tests.blackbox.shapes import boolean, check_entry, list_of, ms, number, rfc_3339, shaped

pytestmark = ON_BOTH

PAGE = {"head": number, "first": number, "more": boolean}


async def page(line: Line, channel: int, **asked: int) -> dict[str, Any]:
    """A page in its shape: oldest first, of what is shown."""
    found = await line.do("history", channel=channel, **asked)
    assert shaped({**PAGE, "entries": list_of(lambda entry: check_entry(entry, at=ms), 200)})(found)
    seqs = [entry["seq"] for entry in found["entries"]]
    assert seqs == sorted(set(seqs))
    assert all(found["first"] <= seq <= found["head"] for seq in seqs)
    assert not {entry["kind"] for entry in found["entries"]} & {"edit", "delete", "reaction", "pin"}
    return found


def seqs(found: dict[str, Any]) -> list[int]:
    return [entry["seq"] for entry in found["entries"]]


async def written(hub: Hub, count: int) -> tuple[Person, Line, int]:
    """A group in which somebody wrote so many messages, her line, and its id."""
    anna = await hub.member()
    group = await hub.group(anna, "open")
    line = await anna.live()
    for reply in [await line.tell("send", channel=group, nonce=f"n{n}", text=f"text {n}") for n in range(1, count + 1)]:
        await reply
    return anna, line, group


async def test_a_channel_without_entries_has_an_empty_page(hub: Hub) -> None:
    _, line, group = await written(hub, 0)
    assert await page(line, group) == {"entries": [], "head": 0, "first": 1, "more": False}
    assert await line.subscribe(group) == {"channel": group, "head": 0, "first": 1}


async def test_the_newest_fifty_are_given_unless_said(hub: Hub) -> None:
    _, line, group = await written(hub, 60)
    newest = await page(line, group)
    assert (seqs(newest), newest["head"], newest["more"]) == (list(range(11, 61)), 60, True)
    assert seqs(await page(line, group, limit=200)) == list(range(1, 61))


async def test_pages_before_and_after_meet_without_a_gap(hub: Hub) -> None:
    _, line, group = await written(hub, 20)
    assert seqs(await page(line, group, before=11, limit=5)) == [6, 7, 8, 9, 10]
    assert seqs(await page(line, group, after=10, limit=5)) == [11, 12, 13, 14, 15]
    assert seqs(await page(line, group, before=1)) == []
    assert seqs(await page(line, group, after=0, limit=3)) == [1, 2, 3]
    assert seqs(await page(line, group, after=20)) == []
    assert seqs(await page(line, group, before=999, limit=2)) == [19, 20]


async def test_more_says_whether_there_is_more_on_that_side(hub: Hub) -> None:
    _, line, group = await written(hub, 20)
    for asked, more in [
        ({"before": 6, "limit": 5}, False), ({"before": 7, "limit": 5}, True), ({"after": 15, "limit": 5}, False),
        ({"after": 14, "limit": 5}, True), ({"limit": 20}, False), ({"limit": 19}, True), ({"before": 1}, False),
        ({"after": 20}, False),
    ]:  # fmt: skip
        assert (asked, (await page(line, group, **asked))["more"]) == (asked, more)


async def test_around_gives_half_up_to_a_message_and_half_after_it(hub: Hub) -> None:
    _, line, group = await written(hub, 20)
    middle = await page(line, group, around=10, limit=6)
    assert (seqs(middle), middle["more"]) == ([8, 9, 10, 11, 12, 13], True)
    assert 10 in seqs(await page(line, group, around=10, limit=1))
    assert seqs(await page(line, group, around=1, limit=6))[:1] == [1]
    assert seqs(await page(line, group, around=20, limit=6))[-1:] == [20]
    assert (await page(line, group, around=10, limit=200))["more"] is False


async def test_changes_are_not_shown_but_counted(hub: Hub) -> None:
    _, line, group = await written(hub, 3)
    for seq in (1, 2, 3):
        await line.do("edit", channel=group, seq=seq, text="edited")
        await line.do("react", channel=group, seq=seq, emoji="👍", on=True)
    await line.send(group, "last")
    whole = await page(line, group)
    assert (seqs(whole), whole["head"], whole["more"]) == ([1, 2, 3, 10], 10, False)
    assert seqs(await page(line, group, around=6, limit=4)) == [2, 3, 10]
    assert seqs(await page(line, group, after=3, limit=1)) == [10]
    assert seqs(await page(line, group, before=10, limit=1)) == [3]
    assert (await page(line, group, after=10))["more"] is False


async def test_what_changed_in_the_channel_itself_is_shown(hub: Hub) -> None:
    anna, line, group = await written(hub, 1)
    await line.subscribe(group)
    version = (await anna.http.get(f"groups/{group}")).headers["etag"]
    await anna.patch(f"groups/{group}", {"title": "Another title"}, headers={"If-Match": version})
    (told,) = await line.until_heard()
    assert (told["kind"], told["change"], told["author"]) == ("channel", "title", anna.id)
    assert (await page(line, group))["entries"][-1] == told


@pytest.mark.parametrize("dialect", ["msgpack", "json"])
async def test_a_page_ends_early_rather_than_be_too_large(hub: Hub, dialect: Any) -> None:
    anna, _, group = await written(hub, 0)
    line = await anna.live(dialect=dialect)
    for n in range(50):
        await line.send(group, f"{n:05}" + '\\"' * 8000 if n % 2 else f"{n:05}" + "é" * 8000)
    older: list[int] = []
    before = 51
    while before > 1:
        found = await page(line, group, before=before, limit=200)
        assert found["more"] is (seqs(found)[0] > 1)
        older = [*seqs(found), *older]
        before = seqs(found)[0]
    assert older == list(range(1, 51))
    newer: list[int] = []
    while len(newer) < 50:
        found = await page(line, group, after=newer[-1] if newer else 0, limit=200)
        newer += seqs(found)
        assert found["more"] is (newer[-1] < 50)
    assert newer == list(range(1, 51))
    assert 25 in seqs(await page(line, group, around=25, limit=200))


async def test_a_script_reads_the_same_pages(hub: Hub) -> None:
    anna, line, group = await written(hub, 20)
    for asked in ({}, {"before": 11, "limit": 5}, {"after": 10, "limit": 5}, {"around": 10, "limit": 6}):
        read = await anna.get(f"channels/{group}/entries", params=asked)
        assert shaped({**PAGE, "entries": list_of(lambda entry: check_entry(entry, at=rfc_3339), 200)})(read)
        live = await page(line, group, **asked)
        assert (seqs(read), read["head"], read["more"]) == (seqs(live), live["head"], live["more"])
    for wrong in (
        {"limit": 0},
        {"limit": 201},
        {"before": 0},
        {"after": -1},
        {"before": "x"},
        {"before": 1, "after": 1},
    ):
        assert (await anna.http.get(f"channels/{group}/entries", params=wrong)).status_code in (400, 422)
