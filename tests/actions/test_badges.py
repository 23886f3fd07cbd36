"""Badges: the hub's word on somebody, and what members say of themselves to one group alone."""

import pytest

from hubchat.actions import badges, members
from hubchat.actions.badges import attest, show_in, unattest
from hubchat.errors import HubError
from hubchat.storage.accounts import update_account
from hubchat.storage.groups import read_roster
from hubchat.storage.members import read_members
from hubchat.storage.people import read_people, read_person
from hubchat.storage.sessions import Caller
from tests.community import Community


async def shown(hub: Community, handle: str) -> list[str]:
    person = await hub.read(lambda connection: read_person(connection, handle))
    assert person is not None
    return person.badges


async def badge(hub: Community, viewer: Caller | None, whom: Caller, channel: int | None) -> str | None:
    """What `viewer` learns of somebody in a channel's context; `unseen` where they see nobody."""
    account = viewer.account_id if viewer else None
    found = await hub.read(lambda connection: read_people(connection, account, [whom.persona_id], channel))
    return found[0].group_badge if found else "unseen"


async def test_only_the_hubs_moderators_attest_and_never_themselves(hub: Community) -> None:
    ada, ben = await hub.members("ada", "ben")
    mod, root = await hub.member("mod", "moderator"), await hub.member("root", "admin")
    for who, whom in ((ada, "ben"), (ada, "ada"), (mod, "mod")):
        with pytest.raises(HubError, match="not_allowed"):
            await attest(hub.node, who, whom, "clinician", "said so", None)
        with pytest.raises(HubError, match="not_allowed"):
            await unattest(hub.node, who, whom)
    with pytest.raises(HubError, match="person_unknown"):
        await attest(hub.node, mod, "nobody", "clinician", "seen", None)
    for how in ("", "  ", "x" * 301):
        with pytest.raises(HubError, match="fields_invalid"):
            await attest(hub.node, mod, "ben", "clinician", how, None)
    with pytest.raises(HubError, match="fields_invalid"):
        await attest(hub.node, mod, "ben", "clinician", "seen", 1)
    assert await shown(hub, "ben") == []
    await attest(hub.node, mod, "ben", "clinician", "her licence", None)
    await attest(hub.node, root, "ben", "scientist", "her paper", None)
    assert await shown(hub, "ben") == ["scientist"], "one at a time"
    await hub.node.database.write(lambda connection: update_account(connection, ben.account_id, industry=True))
    person = await hub.read(lambda connection: read_person(connection, "ben"))
    assert person is not None
    assert person.to_map()["badge"] == "industry", "seen before anything else"
    assert person.to_map()["badges"] == ["industry", "scientist"]
    for _ in range(2):
        await unattest(hub.node, mod, "ben")
    assert await shown(hub, "ben") == ["industry"]


async def test_a_badge_that_ran_out_is_not_seen(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    mod, _ben = await hub.member("mod", "moderator"), await hub.member("ben")
    until = hub.node.log.clock() + 60_000
    await attest(hub.node, mod, "ben", "organisation", "their statutes", until)
    assert await shown(hub, "ben") == ["organisation"]
    monkeypatch.setattr("hubchat.storage.people.now_ms", lambda: until)
    assert await shown(hub, "ben") == []


async def test_patient_and_carer_are_told_to_the_members_of_that_group_alone(hub: Community) -> None:
    ada, ben, cem, eve = await hub.members("ada", "ben", "cem", "eve")
    here = await hub.group(ada, "public", ben, cem)
    there = await hub.group(ada, "closed", ben, cem, eve)
    await hub.say(ben, here)
    await show_in(hub.node, ben, here, "patient")
    assert [await badge(hub, who, ben, here) for who in (ada, cem, ben)] == ["patient"] * 3
    assert [await badge(hub, who, ben, there) for who in (ada, cem, eve)] == [None] * 3
    assert [await badge(hub, who, ben, None) for who in (ada, cem, ben)] == [None] * 3
    assert [await badge(hub, who, ben, here) for who in (eve, None)] == [None, None], "they read, and are no members"
    assert await badge(hub, cem, ben, 12) is None
    room = await hub.channel(here)
    listed = await hub.read(lambda connection: read_members(connection, room, everyone=False, limit=9))
    assert {one.person.handle: one.person.group_badge for one in listed} == {"ada": None, "ben": "patient"}
    with pytest.raises(HubError, match="not_allowed"):
        await show_in(hub.node, eve, here, "carer")
    with pytest.raises(HubError, match="channel_unknown"):
        await show_in(hub.node, await hub.member("zoe"), await hub.group(ada, "secret"), "carer")
    await show_in(hub.node, ben, here, None)
    assert await badge(hub, ada, ben, here) is None
    await show_in(hub.node, ben, here, "carer")
    await members.leave(hub.node, ben, here)
    await members.join(hub.node, ben, here)
    assert await badge(hub, ada, ben, here) is None, "who leaves takes it along"


async def test_a_badge_tells_nobody_that_somebody_hidden_is_here(hub: Community) -> None:
    ada, ben, cem = await hub.members("ada", "ben", "cem")
    here = await hub.group(ada, "open", ben, cem)
    await hub.group(ada, "closed", ben, cem)
    await badges.show_in(hub.node, ben, here, "patient")
    roster = await hub.read(lambda connection: read_roster(connection, here))
    assert [await badge(hub, cem, ben, where) for where in (here, roster)] == [None, None]
    assert [await badge(hub, ada, ben, where) for where in (here, roster)] == ["patient", "patient"]
