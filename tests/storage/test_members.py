"""Lists of memberships: their order, their pages, and who is shown."""

from hubchat.actions import members
from hubchat.storage.channels import ChannelRow
from hubchat.storage.members import FROM_THE_FIRST, Member, count_owners, read_members, read_officers, read_standing_as
from hubchat.storage.tables import Account
from tests.community import Community


async def pages(hub: Community, room: ChannelRow, limit: int) -> list[str]:
    """Every member's handle, read in pages."""
    seen: list[Member] = []

    async def page() -> list[Member]:
        after = seen[-1].place if seen else FROM_THE_FIRST
        return await hub.read(
            lambda connection: read_members(connection, room, everyone=True, limit=limit, after=after)
        )

    while found := await page():
        seen += found
    return [member.person.handle for member in seen]


async def test_officers_come_first_and_pages_of_any_size_hold_everybody_once(hub: Community) -> None:
    ada, *others = await hub.members("ada", "ben", "cem", "dan", "eve", "fay")
    group = await hub.group(ada, "closed", *others)
    await members.set_role(hub.node, ada, group, "eve", "moderator")
    await members.set_role(hub.node, ada, group, "dan", "owner")
    room = await hub.channel(group)
    everybody = ["ada", "dan", "eve", "ben", "cem", "fay"]
    for limit in (1, 2, 4, 50):
        assert await pages(hub, room, limit) == everybody


async def test_those_who_ask_and_those_who_are_banned_stand_in_lists_of_their_own(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed")
    await members.join(hub.node, ben, group, "please")
    await members.ban(hub.node, ada, group, "cem")
    asking, banned = await hub.read(
        lambda connection: [read_standing_as(connection, group, state, limit=9) for state in ("requested", "banned")]
    )
    assert [(one.person.id, one.word) for one in asking] == [(ben.persona_id, "please")]
    assert [one.person.id for one in banned] == [cem.persona_id]


async def test_who_cannot_sign_in_any_more_neither_owns_nor_hears(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "owner")
    table = Account.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
    disable = table.update().where(table.c.id == ada.account_id).values(state="disabled")
    await hub.node.log.write(lambda tx: tx.connection.execute(disable))
    owners, officers = await hub.read(
        lambda connection: (count_owners(connection, group), read_officers(connection, group))
    )
    assert owners == 1
    assert [officer.account_id for officer in officers] == [ben.account_id]
