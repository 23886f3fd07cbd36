"""Groups: made, changed, opened wider, closed, archived, deleted."""

import asyncio

import pytest

from hubchat.access import Visibility
from hubchat.actions import groups, invites, members
from hubchat.actions.groups import GroupChange, NewGroup, check_slug, check_title, version
from hubchat.channels.items import Delete, Edit
from hubchat.errors import HubError
from hubchat.storage.channels import ChannelRow
from hubchat.storage.groups import find_group, read_directory, read_roster
from hubchat.storage.sessions import Caller
from hubchat.storage.tables import Audit
from tests.community import Community


async def first_for(hub: Community, who: Caller, group: int) -> int:
    return (await hub.stand(who, group)).first(await hub.channel(group))


async def test_who_makes_a_group_owns_it_and_stands_in_its_roster(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await groups.create(hub.node, ada, NewGroup(" Lung  cancer ", "open", "lung-cancer", "For all of us", "en"))
    room = await hub.channel(group)
    assert (room.slug, room.title, room.about, room.lang) == ("lung-cancer", "Lung cancer", "For all of us", "en")
    assert (await hub.stand(ada, group)).standing == ("member", "member", "owner")
    assert await hub.roster(group) == [(ada.persona_id, "joined")]


@pytest.mark.parametrize(
    ("slug", "reason"),
    [
        ("x", "slug_invalid"), ("-ab", "slug_invalid"), ("Lung", "slug_invalid"), ("a b", "slug_invalid"),
        ("lüng", "slug_invalid"), ("a" * 32, "slug_invalid"), ("ab\n", "slug_invalid"), ("~12", "slug_invalid"),
        ("", "slug_invalid"), (None, "slug_invalid"), ("admin", "slug_reserved"), ("new", "slug_reserved"),
    ],
)  # fmt: skip
def test_a_slug_is_short_plain_and_not_the_hubs_own(slug: str | None, reason: str) -> None:
    with pytest.raises(HubError, match=reason):
        check_slug(slug)


@pytest.mark.parametrize("title", ["", "  ", "\u200b", "a\u202eb", "a\x07b", "a\0b", "x" * 101, "\u2066x\u2069"])
def test_a_title_can_be_read(title: str) -> None:
    with pytest.raises(HubError, match="fields_invalid") as refused:
        check_title(title)
    assert set(refused.value.fields or {}) == {"title"}


@pytest.mark.parametrize("title", ["x" * 100, "Лимфома", "مجموعة", "می‌خواهم", "👩‍⚕️ help", "乳がん"])
def test_a_title_may_be_in_any_script(title: str) -> None:
    assert check_title(f" {title}\n") == title


async def test_other_words_have_bounds_too(hub: Community) -> None:
    ada = await hub.member("ada")
    wrong: tuple[dict[str, str], ...] = (
        {"about": "x" * 2001}, {"about": "a\0b"}, {"lang": "Deutsch!"}, {"lang": "x" * 40},
    )  # fmt: skip
    for words in wrong:
        with pytest.raises(HubError, match="fields_invalid") as refused:
            await groups.create(hub.node, ada, NewGroup("A group", "open", "ab", **words))  # type: ignore[arg-type]
        assert set(refused.value.fields or {}) == set(words)


async def test_listed_groups_never_share_a_slug_even_when_made_at_once(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    made = await asyncio.gather(
        *(groups.create(hub.node, who, NewGroup("Same", "open", "same")) for who in (ada, ben, ada, ben)),
        return_exceptions=True,
    )
    assert len([one for one in made if isinstance(one, int)]) == 1
    assert {one.reason for one in made if isinstance(one, HubError)} == {"slug_taken"}


async def test_a_secret_group_has_no_slug_so_nobody_learns_of_it_by_wanting_the_same(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    secret = await groups.create(hub.node, ada, NewGroup("Ours", "secret", "ours"))
    assert (await hub.channel(secret)).slug is None
    await groups.create(hub.node, ben, NewGroup("Ours", "open", "ours"))


async def test_a_former_slug_leads_to_the_group_and_is_never_given_to_another(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await groups.create(hub.node, ada, NewGroup("Old", "open", "old"))
    await groups.change(hub.node, ada, group, GroupChange(slug="fresh"))
    for name in ("old", "fresh", str(group), f"~{group}"):
        found = await hub.read(lambda connection, name=name: find_group(connection, name))  # type: ignore[misc]
        assert found is not None
        assert (found.id, found.slug) == (group, "fresh")
    with pytest.raises(HubError, match="slug_taken"):
        await groups.create(hub.node, ben, NewGroup("Old", "open", "old"))
    await groups.change(hub.node, ada, group, GroupChange(slug="old"))
    assert (await hub.channel(group)).slug == "old"


async def test_a_slug_of_digits_and_an_id_are_told_apart(hub: Community) -> None:
    ada = await hub.member("ada")
    first = await groups.create(hub.node, ada, NewGroup("First", "open", "2027"))
    second = await groups.create(hub.node, ada, NewGroup("Second", "open", str(first)))
    by_slug, by_id, by_tilde = await hub.read(
        lambda connection: [find_group(connection, name) for name in ("2027", str(first), f"~{second}")]
    )
    assert by_slug is not None
    assert by_id is not None
    assert by_tilde is not None
    assert (by_slug.id, by_id.id, by_tilde.id) == (first, first, second)


async def test_a_conversation_or_inbox_is_no_group(hub: Community) -> None:
    ada = await hub.member("ada")
    assert await hub.read(lambda connection: find_group(connection, str(ada.inbox_id))) is None
    with pytest.raises(HubError, match="channel_unknown"):
        await groups.change(hub.node, ada, ada.inbox_id, GroupChange(title="Mine"))


async def test_one_member_owns_a_bounded_number_of_groups(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "OWNED", 1)
    ada = await hub.member("ada")
    await hub.group(ada)
    with pytest.raises(HubError, match="too_many"):
        await hub.group(ada)


async def test_what_changed_is_told_in_the_room_by_name_alone(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    await groups.change(hub.node, ben, group, GroupChange(title="Better", about="Said anew"))
    await groups.change(hub.node, ben, group, GroupChange(title="Better"))
    told = await hub.entries(group, "channel")
    assert [(entry.author, entry.data) for entry in told] == [
        (ben.persona_id, {"change": "about"}),
        (ben.persona_id, {"change": "title"}),
    ]
    assert await hub.revocations() == []


async def test_a_stale_version_changes_nothing(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada)
    seen = version(await hub.channel(group))
    await groups.change(hub.node, ada, group, GroupChange(title="First"), seen)
    with pytest.raises(HubError, match="changed_meanwhile"):
        await groups.change(hub.node, ada, group, GroupChange(title="Second"), seen)
    assert (await hub.channel(group)).title == "First"


async def test_moderators_change_words_and_only_owners_who_may_read(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "open", ben, cem)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    for change in (
        GroupChange(visibility="public"),
        GroupChange(history="since_joining"),
        GroupChange(state="archived"),
    ):
        with pytest.raises(HubError, match="not_allowed"):
            await groups.change(hub.node, ben, group, change)
    with pytest.raises(HubError, match="not_allowed"):
        await groups.change(hub.node, cem, group, GroupChange(title="Mine"))


@pytest.mark.parametrize(("before", "after"), [("secret", "closed"), ("closed", "open"), ("open", "public")])
async def test_opening_a_group_wider_opens_only_what_comes_after(
    hub: Community, before: Visibility, after: Visibility
) -> None:
    ada, ben, newcomer = await hub.members("ada", "ben", "newcomer")
    group = await hub.group(ada, before, ben)
    for _ in range(3):
        await hub.say(ben, group, "in confidence")
    opened_at = (await hub.channel(group)).head + 1
    await groups.change(hub.node, ada, group, GroupChange(visibility=after))
    assert (await hub.entries(group))[opened_at - 1].data == {"change": "visibility"}
    await hub.let_in(ada, group, newcomer)
    assert await first_for(hub, newcomer, group) == opened_at
    assert (await hub.channel(group)).open_from == opened_at
    assert await first_for(hub, ben, group) == 1


async def test_history_made_wider_opens_only_what_comes_after(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await hub.group(ada, "closed", history="since_joining")
    await hub.say(ada, group)
    await hub.let_in(ada, group, ben)
    await hub.say(ada, group)
    await groups.change(hub.node, ada, group, GroupChange(history="all"))
    await hub.say(ada, group)
    await hub.let_in(ada, group, cem)
    assert [await first_for(hub, who, group) for who in (ada, ben, cem)] == [1, 2, 3]


async def test_what_was_said_behind_a_closed_door_stays_there_when_it_opens_again(hub: Community) -> None:
    ada, newcomer = await hub.members("ada", "newcomer")
    group = await hub.group(ada, "open")
    await hub.say(ada, group, "for all")
    await groups.change(hub.node, ada, group, GroupChange(visibility="closed"))
    secret = await hub.say(ada, group, "in confidence")
    await groups.change(hub.node, ada, group, GroupChange(visibility="open"))
    await members.join(hub.node, newcomer, group)
    assert await first_for(hub, newcomer, group) > secret


async def test_an_edit_of_what_was_said_in_confidence_shows_no_text_after_the_opening(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada, "closed")
    seq = await hub.say(ada, group, "in confidence")
    await groups.change(hub.node, ada, group, GroupChange(visibility="public"))
    await hub.node.log.append(
        lambda done: Edit(ada.account_id, ada.persona_id, group, done, seq, "still in confidence")
    )
    [edit] = await hub.entries(group, "edit")
    assert edit.text is None


@pytest.mark.parametrize(("before", "after"), [("public", "open"), ("open", "closed"), ("closed", "secret")])
async def test_closing_a_group_asks_every_right_again(hub: Community, before: Visibility, after: Visibility) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada, before)
    await groups.change(hub.node, ada, group, GroupChange(visibility=after))
    assert await hub.revocations() == [{"reason": "visibility", "channel": group}]
    assert (await hub.channel(group)).open_from == 1


async def test_a_group_made_secret_loses_its_slug_and_who_asked_to_come_in(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    group = await groups.create(hub.node, ada, NewGroup("Ours", "closed", "ours"))
    await members.join(hub.node, ben, group)
    await groups.change(hub.node, ada, group, GroupChange(visibility="secret"))
    assert (await hub.channel(group)).slug is None
    assert await hub.states(group, [ben]) == ["none"]
    with pytest.raises(HubError, match="slug_taken"):
        await groups.create(hub.node, cem, NewGroup("Ours", "open", "ours"))  # the old links never mislead
    await groups.change(hub.node, ada, group, GroupChange(visibility="closed", slug="ours"))
    assert (await hub.channel(group)).slug == "ours"


async def test_who_came_and_went_among_few_is_not_told_to_all(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "closed", ben)
    await groups.change(hub.node, ada, group, GroupChange(visibility="open"))
    roster_id = await hub.read(lambda connection: read_roster(connection, group))
    assert roster_id is not None
    roster = await hub.channel(roster_id)
    assert (await hub.stand(ada, group)).first(roster) == roster.head + 1 == 3


async def test_an_archived_group_is_opened_again_and_changed_in_one_step(hub: Community) -> None:
    ada = await hub.member("ada")
    group = await hub.group(ada)
    await groups.change(hub.node, ada, group, GroupChange(state="archived"))
    with pytest.raises(HubError, match="archived"):
        await hub.say(ada, group)
    with pytest.raises(HubError, match="archived"):
        await groups.change(hub.node, ada, group, GroupChange(title="Quiet"))
    await groups.change(hub.node, ada, group, GroupChange(state="open", title="Loud again"))
    await hub.say(ada, group)
    assert (await hub.channel(group)).title == "Loud again"


async def test_a_deleted_group_is_gone_with_all_that_was_in_it(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubchat.storage.groups.PURGED", 2)
    ada, ben = await hub.members("ada", "ben")
    group = await groups.create(hub.node, ada, NewGroup("Gone", "open", "gone", "about"))
    await members.join(hub.node, ben, group)
    other = await hub.group(ada)
    await hub.say(ada, other)
    for _ in range(5):
        seq = await hub.say(ben, group, "words of @ada")
    await hub.node.log.append(lambda done: Edit(ben.account_id, ben.persona_id, group, done, seq, "other words"))
    link = await invites.make_link(hub.node, ada, group)
    await groups.delete(hub.node, ada, group)
    assert (await hub.revocations())[-1] == {"reason": "deleted", "channel": group}
    left = await hub.channel(group)
    assert (left.state, left.title, left.about, left.slug) == ("deleted", "", None, None)
    for table in ("entry", "revision", "reaction", "mention", "reading", "membership", "invite"):
        assert await hub.count(table, group) == 0
    assert len(await hub.entries(other)) == 1
    with pytest.raises(HubError, match="invite_ended"):
        await invites.use(hub.node, ben, link.code)
    with pytest.raises(HubError, match="channel_unknown"):
        await members.join(hub.node, ben, group)


async def test_only_an_owner_deletes_a_group(hub: Community) -> None:
    ada, ben, admin = *await hub.members("ada", "ben"), await hub.member("chief", "admin")
    group = await hub.group(ada, "open", ben)
    await members.set_role(hub.node, ada, group, "ben", "moderator")
    for nobody in (ben, admin):
        with pytest.raises(HubError, match="not_allowed"):
            await groups.delete(hub.node, nobody, group)
    assert (await hub.channel(group)).state == "open"


async def test_the_directory_shows_each_what_they_may_see(hub: Community) -> None:
    ada, ben, cem, dan = await hub.members("ada", "ben", "cem", "dan")
    made = {}
    for visibility in ("public", "open", "closed", "secret"):
        made[visibility] = await hub.group(ada, visibility)
    await hub.let_in(ada, made["secret"], ben)
    await invites.invite(hub.node, ada, made["secret"], "dan")
    for group in made.values():
        await members.ban(hub.node, ada, group, "cem")
    archived = await hub.group(ada, "public")
    await groups.change(hub.node, ada, archived, GroupChange(state="archived"))

    async def seen(who: Caller | None) -> set[int]:
        account = who.account_id if who else None
        return {room.id for room in await hub.read(lambda connection: read_directory(connection, account, limit=50))}

    everything = set(made.values())
    assert await seen(None) == {made["public"]}
    assert await seen(ada) == everything | {archived}
    assert await seen(ben) == await seen(dan) == everything
    assert await seen(cem) == {made["public"]}


async def test_the_directory_is_read_page_by_page(hub: Community) -> None:
    ada = await hub.member("ada")
    titles = ["beta", "Alpha", "gamma", "alpha", "Delta"]
    for title in titles:
        await groups.create(hub.node, ada, NewGroup(title, "open", f"g-{title}".lower() + str(titles.index(title))))

    async def page(after: int | None) -> list[ChannelRow]:
        return await hub.read(lambda connection: read_directory(connection, ada.account_id, limit=2, after=after))

    rows: list[ChannelRow] = []
    while found := await page(rows[-1].id if rows else None):
        rows += found
    seen = [room.title for room in rows]
    assert sorted(seen) == sorted(titles)
    assert [title.lower() for title in seen] == sorted(title.lower() for title in titles)


async def test_every_change_leaves_a_trace_without_words(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    await groups.change(hub.node, ada, group, GroupChange(visibility="closed", title="Quiet words"))
    await members.ban(hub.node, ada, group, "ben")
    table = Audit.__table__  # type: ignore[attr-defined]  # SQLModel does not type it
    rows = await hub.read(lambda connection: connection.execute(table.select()).all())
    assert {row.action for row in rows} >= {"group.create", "group.visibility", "group.title", "member.banned"}
    assert {(row.actor, row.subject) for row in rows} == {(ada.account_id, group)}


async def test_a_deleted_message_is_no_reason_to_stand_in_the_list(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    group = await hub.group(ada, "open", ben)
    seq = await hub.say(ben, group)
    await hub.node.log.append(lambda done: Delete(ben.account_id, ben.persona_id, group, done, seq))
    await members.leave(hub.node, ben, group)
    assert (ben.persona_id, "left") not in await hub.roster(group)
