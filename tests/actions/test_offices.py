"""What administrators do for the hub, and nobody else."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest
import sqlalchemy as sa

from hubchat.actions import consents, groups, members, offices
from hubchat.actions.tokens import make_token
from hubchat.channels.house import House
from hubchat.channels.transaction import Transaction
from hubchat.channels.watch import Watch
from hubchat.errors import HubError
from hubchat.settings import Settings
from hubchat.storage.accounts import read_me_by_handle
from hubchat.storage.audit import read_audit
from hubchat.storage.offices import find_accounts
from hubchat.storage.policies import insert_consent
from hubchat.storage.sessions import Caller
from tests.community import Community


async def found(hub: Community, letters: str | None, limit: int = 50) -> list[str]:
    rows = await hub.read(lambda connection: find_accounts(connection, letters, limit=limit))
    return [row.person.handle for row in rows]


async def test_nobody_but_administrators_changes_anything(hub: Community) -> None:
    _ada, ben = await hub.members("ada", "ben")
    mod = await hub.member("mod", "moderator")
    pretender = ben._replace(hub_role="admin")
    for who in (ben, mod, pretender):
        for attempt in (
            offices.change_house(hub.node, who, {"guests": False}),
            offices.disable(hub.node, who, "ada"),
            offices.enable(hub.node, who, "nobody"),
            offices.set_role(hub.node, who, who.handle, "admin"),
        ):
            with pytest.raises(HubError, match="not_allowed"):
                await attempt
    assert hub.node.house.now.guests
    assert await hub.read(lambda connection: read_audit(connection, limit=5)) == []


async def test_who_is_disabled_is_out_at_once_and_may_be_let_in_again(hub: Community) -> None:
    root, ben = await hub.member("root", "admin"), await hub.member("ben")
    token, _ = await make_token(hub.node, ben.account_id, "t")
    assert token
    for _ in range(2):
        await offices.disable(hub.node, root, "ben")
    assert await hub.revocations() == [{"reason": "disabled", "account": ben.account_id}]
    assert await hub.read(lambda connection: read_me_by_handle(connection, "ben")) is None
    for _ in range(2):
        await offices.enable(hub.node, root, "ben")
    assert await hub.read(lambda connection: read_me_by_handle(connection, "ben")) is not None
    with pytest.raises(HubError, match="person_unknown"):
        await offices.disable(hub.node, root, "nobody")
    told = await hub.read(lambda connection: read_audit(connection, limit=5))
    assert [(one.action, one.actor and one.actor.handle, one.person and one.person.handle) for one in told] == [
        ("account.enable", "root", "ben"),
        ("account.disable", "root", "ben"),
    ]


async def test_who_took_a_consent_back_can_be_disabled_and_comes_back_as_before(hub: Community) -> None:
    root, ben = await hub.member("root", "admin"), await hub.member("ben")

    def agree(tx: Transaction) -> None:
        for what in consents.NEEDED:
            insert_consent(tx.connection, ben.account_id, what, "1", tx.now)

    await hub.node.log.write(agree)
    await consents.withdraw(hub.node, ben, "health_data")
    states = []
    for act in (offices.disable, offices.enable):
        await act(hub.node, root, "ben")
        rows = await hub.read(lambda connection: find_accounts(connection, "ben", limit=1))
        states.append(rows[0].state)
    assert states == ["disabled", "withdrawn"]


async def test_the_audit_of_the_hub_tells_nothing_of_who_is_in_which_group(hub: Community) -> None:
    root, ada, ben = await hub.member("root", "admin"), *(await hub.members("ada", "ben"))
    room = await hub.group(ada, "secret", ben)
    await members.ban(hub.node, ada, room, "ben")
    await groups.delete(hub.node, ada, room)
    await offices.disable(hub.node, root, "ben")
    kept = await hub.read(lambda connection: connection.execute(sa.text("SELECT action FROM audit")).scalars().all())
    assert {"member.banned", "group.delete"} <= set(kept)
    told = await hub.read(lambda connection: read_audit(connection, limit=50))
    assert [one.action for one in told] == ["account.disable"]


async def test_the_last_administrator_stays_one_even_where_two_leave_at_once(hub: Community) -> None:
    root, other = await hub.member("root", "admin"), await hub.member("other", "admin")
    told = await asyncio.gather(
        offices.set_role(hub.node, root, "root", "member"),
        offices.disable(hub.node, other, "other"),
        return_exceptions=True,
    )
    assert [one.reason for one in told if isinstance(one, HubError)] == ["last_admin"]
    left = root if isinstance(told[0], HubError) else other
    for attempt in (
        offices.disable(hub.node, left, left.handle),
        offices.set_role(hub.node, left, left.handle, "member"),
    ):
        with pytest.raises(HubError, match="last_admin"):
            await attempt


async def test_accounts_are_found_by_handle_or_name_and_by_nothing_else(hub: Community) -> None:
    await hub.members("ada", "ben", "adrian", "m-100")
    assert await found(hub, None) == ["ada", "ben", "adrian", "m-100"]
    assert await found(hub, None, limit=2) == ["ada", "ben"]
    assert await found(hub, "@ad") == await found(hub, "AD") == ["ada", "adrian"]
    assert await found(hub, "en") == ["ben"], "inside the name"
    for odd in ("%", "_", "!", "' OR 1=1 --", "zz"):
        assert await found(hub, odd) == []


async def test_the_house_is_changed_and_every_node_knows(hub: Community) -> None:
    root = await hub.member("root", "admin")
    house = hub.node.house
    assert (house.asked, house.now.guests, house.now.signup) == (False, True, "open")
    await offices.change_house(hub.node, root, {"guests": False, "contact": "ask@hub.example"})
    await offices.change_house(hub.node, root, {"signup": "closed"})
    assert (house.asked, house.now.guests, house.now.signup, house.now.contact) == (
        True, False, "closed", "ask@hub.example",
    )  # fmt: skip
    other = House(hub.node.settings)
    hub.node.hub.on_house = other.take
    await Watch(hub.node.hub, None).look(monotonic(), everything=True)
    assert other.now == house.now


def test_what_the_operator_has_set_wins_and_what_is_old_or_odd_changes_nothing(tmp_path: Path) -> None:
    house = House(Settings(data=tmp_path, guests=True))
    heard: list[bool] = []
    house.on_change.append(lambda: heard.append(house.now.guests))
    house.take('{"at": 5, "guests": false, "signup": "invited", "port": 1, "later": {}}')
    assert house.fixed == {"guests"}
    assert (house.now.guests, house.now.signup, house.now.port) == (True, "invited", 8000)
    for told in (
        '{"at": 4, "signup": "open"}',
        "nonsense",
        '{"at": 9, "signup": "who"}',
        "[]",
        '{"signup": "open"}',
        None,
    ):
        house.take(told)
        assert house.now.signup == "invited"
    assert heard == [True]


async def test_what_the_operator_has_set_is_refused_here(hub: Community) -> None:
    root: Caller = await hub.member("root", "admin")
    hub.node.house.fixed = frozenset({"guests"})  # type: ignore[misc]  # as if the environment said so
    with pytest.raises(HubError, match="set_by_operator") as refused:
        await offices.change_house(hub.node, root, {"guests": False, "emergency": "112"})
    assert refused.value.facts == {"fields": ["guests"]}
    assert hub.node.house.now.emergency is None
