"""Where one has read up to, what is unread, and that nobody else learns of it."""

from typing import Any

from tests.blackbox.hub import ON_BOTH, Hub, Person
from tests.blackbox.line import Line
from tests.blackbox.shapes import an_id, maybe, number, one_of, page_of, shaped, text

pytestmark = ON_BOTH

MINE = shaped(
    {"id": an_id, "kind": one_of("group", "conversation", "inbox", "roster"), "head": number, "first": an_id,
     "read_seq": number, "unread": number, "mentions": number},
    {"title": maybe(text), "slug": maybe(text)},
)  # fmt: skip


async def stand(person: Person, channel: int) -> tuple[int, int]:
    """(read up to, unread) as the list of one's channels says it."""
    page = await person.get("channels")
    assert page_of(MINE)(page)
    (mine,) = [one for one in page["items"] if one["id"] == channel]
    return mine["read_seq"], mine["unread"]


def counts(line: Line, channel: int) -> list[int]:
    """The unread counts of a channel that the line was told."""
    told = [frame["unread"] for frame in line.signals("inbox")]
    return [unread[str(channel)] for unread in told if str(channel) in unread]


async def pair(hub: Hub, messages: int = 5) -> tuple[Person, Person, int]:
    """Anna, who wrote that much; Ben, who joined before; their group."""
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", ben)
    for n in range(1, messages + 1):
        await anna.say(group, f"text {n}")
    return anna, ben, group


async def test_what_others_wrote_is_unread_until_it_is_read(hub: Hub) -> None:
    anna, ben, group = await pair(hub)
    line = await ben.live()
    assert await stand(ben, group) == (0, 5)
    assert (await stand(anna, group))[1] == 0
    assert await line.do("read", channel=group, seq=3) == {}
    assert await stand(ben, group) == (3, 2)
    assert await line.do("read", channel=group, seq=5) == {}
    assert await stand(ben, group) == (5, 0)
    await ben.say(group, "his own")
    assert (await stand(ben, group))[1] == 0


async def test_only_unread_leads_back(hub: Hub) -> None:
    _, ben, group = await pair(hub)
    line = await ben.live()
    await line.do("read", channel=group, seq=4)
    await line.do("read", channel=group, seq=2)
    assert await stand(ben, group) == (4, 1)
    assert await line.do("unread", channel=group, seq=3) == {}
    assert await stand(ben, group) == (2, 3)
    await line.do("read", channel=group, seq=3)
    assert await stand(ben, group) == (3, 2)


async def test_beyond_the_head_counts_as_the_head(hub: Hub) -> None:
    anna, ben, group = await pair(hub)
    line = await ben.live()
    await line.do("read", channel=group, seq=2**53 - 1)
    assert await stand(ben, group) == (5, 0)
    await anna.say(group, "next")
    assert await stand(ben, group) == (5, 1)


async def test_changes_and_what_is_deleted_are_not_unread(hub: Hub) -> None:
    anna, ben, group = await pair(hub)
    messages = f"channels/{group}/messages"
    await anna.patch(f"{messages}/1", {"text": "edited"})
    await anna.put(f"{messages}/2/pin")
    assert await stand(ben, group) == (0, 5)
    await anna.delete(f"{messages}/3")
    assert await stand(ben, group) == (0, 4)


async def test_ones_other_connections_are_told_and_nobody_else(hub: Hub) -> None:
    anna, ben, group = await pair(hub)
    phone, desk, hers = await ben.live(), await ben.live(), await anna.live(group, anna.inbox)
    await phone.do("read", channel=group, seq=3)
    await desk.until(lambda: counts(desk, group) == [2])
    await phone.do("unread", channel=group, seq=1)
    await desk.until(lambda: counts(desk, group) == [2, 5])
    await ben.put(f"channels/{group}/read", {"seq": 5})
    await phone.until(lambda: counts(phone, group)[-1:] == [0])
    await desk.until(lambda: counts(desk, group)[-1:] == [0])
    await hers.do("ping")
    assert hers.heard == []
    shown: Any = await anna.get(f"channels/{group}")
    assert shown["read_seq"] != 5 or shown["unread"] == 0


async def test_mentions_are_counted_apart(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "closed", ben)
    await anna.say(group, "everybody")
    await anna.say(group, f"@{ben.handle}, do you come?")
    shown = await ben.get(f"channels/{group}")
    assert (shown["unread"], shown["mentions"]) == (2, 1)
    await ben.put(f"channels/{group}/read", {"seq": 2})
    shown = await ben.get(f"channels/{group}")
    assert (shown["unread"], shown["mentions"]) == (0, 0)


async def test_nothing_that_came_before_one_may_read_is_unread(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    group = await hub.group(anna, "open", history="since_joining")
    for _ in range(3):
        await anna.say(group)
    await ben.post(f"groups/{group}/join")
    assert (await stand(ben, group))[1] == 0
    await anna.say(group)
    assert (await stand(ben, group))[1] == 1
