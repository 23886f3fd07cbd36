"""Invitations by handle and by link: whom they let in, and when they die."""

import asyncio

import pytest
import sqlalchemy as sa

from hubchat.access import Visibility
from hubchat.actions import groups, invites, members
from hubchat.actions.groups import GroupChange
from hubchat.errors import HubError
from hubchat.storage.database import now_ms
from hubchat.storage.invites import read_invite, read_invites
from hubchat.storage.sessions import Caller, hash_secret
from tests.community import Community

DAY_MS = 86_400_000


async def set_time(hub: Community, statement: str, **values: object) -> None:
    """Moves what is stored through time."""
    await hub.node.log.write(lambda tx: tx.connection.execute(sa.text(statement), values))


@pytest.mark.parametrize("visibility", ["open", "closed", "secret"])
async def test_an_invited_person_is_told_and_comes_in_when_they_like(hub: Community, visibility: Visibility) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, visibility)
    assert [(await invites.invite(hub.node, ada, group, "ben")).is_new for _ in range(2)] == [True, False]
    [notice] = await hub.notices(ben)
    assert notice == {"about": {"channel": group}, "reason": "invitation"}
    assert await hub.states(group, [ben]) == ["invited"]
    assert await members.join(hub.node, ben, group) == "joined"


async def test_an_invitation_by_handle_is_declined_by_leaving(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "secret")
    await invites.invite(hub.node, ada, group, "ben")
    await members.leave(hub.node, ben, group)
    assert await hub.states(group, [ben]) == ["none"]
    with pytest.raises(HubError, match="channel_unknown"):
        await members.join(hub.node, ben, group)


async def test_who_is_there_or_banned_or_unknown_is_not_invited(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "open", ben)
    await members.ban(hub.node, ada, group, "cem")
    for handle, reason in (("ben", "already_member"), ("cem", "banned"), ("nobody", "person_unknown")):
        with pytest.raises(HubError, match=reason):
            await invites.invite(hub.node, ada, group, handle)
    assert await hub.notices(cem) == []


async def test_inviting_does_not_tell_a_plain_member_who_is_there_unseen_or_banned(hub: Community) -> None:
    ada, ben, cem, eve = await hub.members("ada", "ben", "cem", "eve")
    group = await hub.group(ada, "public", ben, eve)
    await members.ban(hub.node, ada, group, "cem")
    for handle in ("ben", "cem"):
        await invites.invite(hub.node, eve, group, handle)  # as if they were strangers
    assert await hub.states(group, [ben, cem]) == ["member", "banned"]
    assert "invitation" not in [*await hub.reasons(ben), *await hub.reasons(cem)]
    await hub.say(ben, group)
    with pytest.raises(HubError, match="already_member"):
        await invites.invite(hub.node, eve, group, "ben")


async def test_inviting_who_asked_already_lets_them_in(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group)
    await invites.invite(hub.node, ada, group, "ben")
    assert await hub.states(group, [ben]) == ["member"]
    assert await hub.reasons(ben) == ["approved"]


@pytest.mark.parametrize(("visibility", "may"), [("open", True), ("closed", False), ("secret", False)])
async def test_a_plain_member_invites_only_where_anybody_may_join(
    hub: Community, visibility: Visibility, may: bool
) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, visibility, ben)
    if may:
        await invites.invite(hub.node, ben, group, "cem")
        await invites.make_link(hub.node, ben, group)
        return
    for attempt in (invites.invite(hub.node, ben, group, cem.handle), invites.make_link(hub.node, ben, group)):
        with pytest.raises(HubError, match="not_allowed"):
            await attempt


async def test_who_blocked_the_inviter_hears_nothing_and_the_inviter_sees_no_difference(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "secret")
    await set_time(
        hub, "INSERT INTO block (account_id, blocked_id, at) VALUES (:ben, :ada, 1)",
        ben=ben.account_id, ada=ada.account_id,
    )  # fmt: skip
    assert (await invites.invite(hub.node, ada, group, "ben")).is_new
    assert await hub.notices(ben) == []
    assert await hub.states(group, [ben]) == ["none"]


async def test_an_invitation_by_handle_dies_with_the_rights_of_who_made_it(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "secret", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    await invites.invite(hub.node, ben, group, "cem")
    await members.set_role(hub.node, ada, group, "ben", "member")
    with pytest.raises(HubError, match="invite_ended"):
        await members.join(hub.node, cem, group)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    assert await members.join(hub.node, cem, group) == "joined"


async def test_an_invitation_by_handle_holds_thirty_days(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed")
    await invites.invite(hub.node, ada, group, "ben")
    await set_time(
        hub, "UPDATE membership SET joined_at = :then WHERE account_id = :ben AND access_id = :group",
        then=now_ms() - 31 * DAY_MS, ben=ben.account_id, group=group,
    )  # fmt: skip
    with pytest.raises(HubError, match="invite_ended"):
        await members.join(hub.node, ben, group)


@pytest.mark.parametrize("visibility", ["public", "open", "closed", "secret"])
async def test_a_link_lets_in_who_has_it_as_often_as_it_says(hub: Community, visibility: Visibility) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    group = await hub.group(ada, visibility)
    link = await invites.make_link(hub.node, ada, group, uses=2)
    assert len(link.code) == 22  # 128 bits, six in a letter
    for who in (ben, ben, cem):
        assert await invites.use(hub.node, who, link.code) == group
    with pytest.raises(HubError, match="invite_ended"):
        await invites.use(hub.node, dan, link.code)
    assert await hub.states(group, [ben, cem, dan]) == ["member", "member", "none"]


async def test_a_link_of_one_use_lets_in_one_of_two_who_come_at_once(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "secret")
    link = await invites.make_link(hub.node, ada, group)
    came = await asyncio.gather(*(invites.use(hub.node, who, link.code) for who in (ben, cem)), return_exceptions=True)
    assert sorted(await hub.states(group, [ben, cem])) == ["member", "none"]
    assert [one.reason for one in came if isinstance(one, HubError)] == ["invite_ended"]


async def test_a_link_is_kept_only_by_its_hash(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada, "secret")
    link = await invites.make_link(hub.node, ada, group)
    [row] = await hub.read(lambda connection: connection.execute(sa.text("SELECT * FROM invite")).all())
    assert link.code not in str(row)
    found = await hub.read(lambda connection: read_invite(connection, hash_secret(link.code), now_ms()))
    assert found is not None
    assert found.maker.handle == "ada"


async def test_a_link_passes_no_ban_and_tells_nothing_of_it(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    link = await invites.make_link(hub.node, ada, group)
    await members.ban(hub.node, ada, group, "ben")
    with pytest.raises(HubError, match="invite_ended"):
        await invites.use(hub.node, ben, link.code)
    assert await hub.states(group, [ben]) == ["banned"]


@pytest.mark.parametrize("how", ["left", "removed", "demoted", "disabled", "archived", "ended", "late"])
async def test_a_link_dies(hub: Community, how: str) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    link = await invites.make_link(hub.node, ben, group)
    if how == "left":
        await members.leave(hub.node, ben, group)
        await hub.let_in(ada, group, ben)
        await members.set_role(hub.node, ada, group, "ben", "moderator")  # the link does not come back with them
    elif how == "removed":
        await members.remove(hub.node, ada, group, "ben")
    elif how == "demoted":
        await members.set_role(hub.node, ada, group, "ben", "member")
    elif how == "disabled":
        await set_time(hub, "UPDATE account SET state = 'disabled' WHERE id = :ben", ben=ben.account_id)
    elif how == "archived":
        await groups.change(hub.node, ada, group, GroupChange(state="archived"))
    elif how == "ended":
        await invites.end(hub.node, ada, group, link.id)
    else:
        await set_time(hub, "UPDATE invite SET expires_at = :now", now=now_ms())
    with pytest.raises(HubError, match="invite_ended"):
        await invites.use(hub.node, cem, link.code)
    assert await hub.states(group, [cem]) == ["none"]


async def test_a_link_has_bounds(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada)
    now = now_ms()
    for uses, until in ((0, None), (101, None), (1, now - 1), (1, now + 31 * DAY_MS)):
        with pytest.raises(HubError, match="fields_invalid"):
            await invites.make_link(hub.node, ada, group, uses=uses, expires_at=until)
    usual = await invites.make_link(hub.node, ada, group)
    assert now + 7 * DAY_MS <= usual.expires_at <= now_ms() + 7 * DAY_MS
    monkeypatch.setattr(invites, "OPEN", 2)
    await invites.make_link(hub.node, ada, group, uses=100, expires_at=now + 29 * DAY_MS)
    with pytest.raises(HubError, match="too_many"):
        await invites.make_link(hub.node, ada, group)
    assert await listed(hub, group) == 2


async def listed(hub: Community, group: int, by: Caller | None = None) -> int:
    """How many invitations of a group, or of one member to it, have not ended."""
    account, now = by.account_id if by else None, now_ms()
    found = await hub.read(
        lambda connection: read_invites(connection, group, now=now, held=30 * DAY_MS, by=account, limit=50)
    )
    return len(found)


async def test_members_take_back_their_own_invitations_and_moderators_every_one(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    group = await hub.group(ada, "open", ben)
    links = [await invites.make_link(hub.node, who, group) for who in (ada, ben)]
    await invites.invite(hub.node, ada, group, "cem")
    await invites.invite(hub.node, ben, group, "dan")
    assert [await listed(hub, group, who) for who in (None, ada, ben, cem)] == [4, 2, 2, 0]
    for invite_id in (links[0].id, cem.persona_id):
        with pytest.raises(HubError, match="thing_unknown"):
            await invites.end(hub.node, ben, group, invite_id)
        await invites.end(hub.node, ada, group, invite_id)
    for invite_id in (links[1].id, dan.persona_id):
        await invites.end(hub.node, ben, group, invite_id)
        with pytest.raises(HubError, match="thing_unknown"):
            await invites.end(hub.node, ben, group, invite_id)
    assert await hub.states(group, [cem, dan]) == ["none", "none"]


@pytest.mark.parametrize("code", ["", "x", "a" * 22, "ü" * 22, "' OR 1=1 --", "\ud800"])
async def test_a_code_that_was_never_made_opens_nothing(hub: Community, code: str) -> None:
    ada = await hub.member("ada")
    with pytest.raises(HubError, match="invite_ended"):
        await invites.use(hub.node, ada, code)
