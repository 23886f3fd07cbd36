"""What is older than it is kept is forgotten: rows, memory, and the beginning of what is read."""

from functools import partial
from typing import Any

import pytest

from hubchat.actions import groups, members, retention
from hubchat.actions.groups import GroupChange
from hubchat.channels.items import Edit, React
from hubchat.channels.pages import history_page
from hubchat.errors import HubError
from hubchat.journal import Expired, Journal
from hubchat.settings import Settings
from hubchat.storage import retention as stored
from hubchat.storage.database import now_ms
from hubchat.storage.retention import DAY_MS, days_kept, forget_before
from hubchat.storage.standings import read_seats
from hubchat.wire import History
from tests.community import Community


def days_ago(hub: Community, days: int) -> None:
    hub.node.log.clock = lambda: now_ms() - days * DAY_MS


async def page(hub: Community, account_id: int, channel: int) -> dict[str, Any]:
    def read(connection: Any) -> dict[str, Any]:
        seat = read_seats(connection, [(account_id, channel)])[account_id, channel]
        return history_page(connection, seat, History(0, channel, None, None, None, 50), "json")

    return await hub.read(read)


async def test_a_group_forgets_what_its_owner_says_and_nobody_else(
    hub: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "SOME", 2)
    days_ago(hub, 40)
    ana, ben = await hub.members("ana", "ben")
    room, other = await hub.group(ana, "open", ben), await hub.group(ana, "open", ben)
    old = [await hub.say(ana, room, f"old @ben {number}") for number in range(5)]
    as_ana = (ana.account_id, ana.persona_id, room)
    await hub.node.log.append(lambda done: Edit(*as_ana, done, old[0], "old and mended"))
    await hub.node.log.append(lambda done: React(*as_ana, done, old[0], "👍", True))
    await hub.say(ana, other, "old too")
    days_ago(hub, 0)
    new = await hub.say(ben, room, "new")
    await members.set_role(hub.node, ana, room, "ben", "moderator")
    with pytest.raises(HubError, match="not_allowed"):
        await groups.change(hub.node, ben, room, GroupChange(keep_days=30))
    for wrong in (-1, 36_501):
        with pytest.raises(HubError, match="fields_invalid"):
            await groups.change(hub.node, ana, room, GroupChange(keep_days=wrong))
    await retention.expire(hub.node)
    assert (await hub.channel(room)).tail == 1, "nobody has said so yet"
    await groups.change(hub.node, ana, room, GroupChange(keep_days=30))
    assert (await hub.entries(room))[-1].data == {"change": "about"}
    head = (await hub.channel(room)).head
    await retention.expire(hub.node)
    row = await hub.channel(room)
    kept = await hub.entries(room)
    assert [entry.text for entry in kept if entry.kind == "message"] == ["new"]
    assert (row.tail, row.head) == (kept[0].seq, head)
    assert kept[0].seq <= new
    for table in ("revision", "reaction", "mention"):
        assert await hub.count(table, room) == 0, table
    shown = await page(hub, ben.account_id, room)
    assert (shown["first"], shown["entries"][0]["seq"]) == (row.tail, row.tail)
    assert (await hub.entries(other, "message"))[0].text == "old too"
    assert {"reason": "tail", "channel": room} in await hub.revocations()
    lines = Journal(hub.node.settings.journal).read()
    assert (room, row.tail) in [line[:2] for line in lines if isinstance(line, Expired)]
    await retention.expire(hub.node)
    assert Journal(hub.node.settings.journal).read() == lines
    assert await hub.say(ana, room, "and on it goes") == head + 1


async def test_the_hubs_limit_holds_everywhere_and_the_shorter_one_wins(hub: Community) -> None:
    days_ago(hub, 20)
    ana, ben = await hub.members("ana", "ben")
    rooms = [await hub.group(ana, "open", ben) for _ in range(3)]
    for room in rooms:
        await hub.say(ana, room, "@ben old")
    days_ago(hub, 0)
    for room, days in zip(rooms, (5, 100, 0), strict=True):
        await groups.change(hub.node, ana, room, GroupChange(keep_days=days))
    hub.node.settings = Settings(**{**hub.node.settings.model_dump(), "keep_days": 30})
    await retention.expire(hub.node)
    assert [len(await hub.entries(room, "message")) for room in rooms] == [0, 1, 1]
    assert len(await hub.notices(ben)) == 3
    hub.node.settings = Settings(**{**hub.node.settings.model_dump(), "keep_days": 10})
    await retention.expire(hub.node)
    assert [len(await hub.entries(room, "message")) for room in rooms] == [0, 0, 0]
    assert await hub.notices(ben) == [], "inboxes are no place to keep it either"


def test_the_shorter_of_two_limits_holds() -> None:
    assert [days_kept(*both) for both in ((0, None), (0, 5), (7, None), (7, 5), (7, 9))] == [None, 5, 7, 5, 7]


async def test_what_a_copy_brings_back_of_it_is_forgotten_again(hub: Community) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    seqs = [await hub.say(ana, room, str(number)) for number in range(3)]
    for tail, left in ((seqs[1], 2), (seqs[0], 2), (seqs[2] + 50, 0)):
        await hub.node.database.write(partial(forget_before, channel_id=room, tail=tail))
        assert len(await hub.entries(room, "message")) == left
    await hub.node.database.write(lambda c: forget_before(c, 12345, 7))
    row = await hub.channel(room)
    assert row.tail == row.head + 1, "what comes next is read"
