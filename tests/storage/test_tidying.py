"""What is deleted, and what has served its time, leaves nothing behind."""

from pathlib import Path

import pytest

from hubchat.actions import members
from hubchat.channels.items import Delete
from hubchat.storage.channels import ACCESS, forget_access
from tests.community import Community

WORDS = "the words of somebody who thought better of it"


def _kept_in(folder: Path) -> list[str]:
    """The database's files that hold the words."""
    return [path.name for path in folder.glob("hub.db*") if WORDS.encode() in path.read_bytes()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_file_holds_what_was_deleted_once_it_is_tidied(hub: Community, tmp_path: Path) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    seq = await hub.say(ana, room, WORDS)
    assert _kept_in(tmp_path), "it is on disk before it is acknowledged"
    await hub.node.log.append(lambda done: Delete(ana.account_id, ana.persona_id, room, done, seq))
    await hub.node.database.tidy()
    assert _kept_in(tmp_path) == []


async def test_who_lost_which_right_is_forgotten_when_every_node_has_acted(hub: Community) -> None:
    ana, ben, cem = await hub.members("ana", "ben", "cem")
    room = await hub.group(ana, "open", ben, cem)
    await members.leave(hub.node, ben, room)
    left_at = (await hub.channel(ACCESS)).head_at
    hub.node.log.clock = lambda: left_at + 1
    await members.leave(hub.node, cem, room)
    await hub.node.database.write(lambda connection: forget_access(connection, left_at + 1))
    kept = await hub.entries(ACCESS)
    assert [entry.data["about"]["account"] for entry in kept if entry.data] == [cem.account_id]
    access = await hub.channel(ACCESS)
    assert (access.tail, access.head) == (kept[0].seq, kept[0].seq), "numbers go on from where they were"


async def test_when_nothing_recent_is_left_numbers_still_go_on(hub: Community) -> None:
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "open", ben)
    await members.leave(hub.node, ben, room)
    before = await hub.channel(ACCESS)
    await hub.node.database.write(lambda connection: forget_access(connection, before.head_at + 1))
    assert await hub.entries(ACCESS) == []
    access = await hub.channel(ACCESS)
    assert (access.head, access.tail) == (before.head, before.head + 1)
