"""Who may see whose presence."""

import pytest

from hubchat.access import Visibility
from hubchat.actions import members
from hubchat.storage.presence import read_visible
from hubchat.storage.sessions import Caller
from tests.community import Community


async def sees(hub: Community, viewer: Caller, other: Caller) -> bool:
    pairs = [(viewer.account_id, other.persona_id)]
    return viewer.account_id in await hub.read(lambda connection: read_visible(connection, pairs))


@pytest.mark.parametrize("visibility", ["closed", "secret"])
async def test_members_of_a_group_that_lets_people_in_see_each_other(hub: Community, visibility: Visibility) -> None:
    ana, ben, eve = await hub.members("ana", "ben", "eve")
    await hub.group(ana, visibility, ben)
    assert await sees(hub, ana, ben)
    assert await sees(hub, ben, ana)
    assert not await sees(hub, eve, ben)


@pytest.mark.parametrize("visibility", ["public", "open"])
async def test_joining_where_anybody_may_does_not_tell_who_else_did(hub: Community, visibility: Visibility) -> None:
    ana, ben, cem, eve = await hub.members("ana", "ben", "cem", "eve")
    group = await hub.group(ana, visibility, ben, cem, eve)
    assert await sees(hub, ana, ben)  # who sees every member sees this too
    assert not await sees(hub, eve, ben)
    assert not await sees(hub, eve, cem)
    await hub.say(ben, group)
    await members.set_listed(hub.node, cem, group, True)
    assert await sees(hub, eve, ben)
    assert await sees(hub, eve, cem)
