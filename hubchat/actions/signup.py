"""Signing up: by oneself, by invitation, or as the first administrator."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from hubchat.access import SCOPES
from hubchat.actions import consents, invites, links, recovery
from hubchat.actions.accounts import insert
from hubchat.actions.consents import What
from hubchat.actions.names import likeness, read_email, read_name, require_handle
from hubchat.actions.proofs import Browser
from hubchat.actions.sessions import Started, begin
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import accounts, credentials, policies
from hubchat.storage.accounts import Made, NewAccount
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.invites import read_invite
from hubchat.storage.links import read_link
from hubchat.storage.sessions import Caller, hash_secret

Door = Literal["first_admin", "invite"] | None
"""What lets somebody in who has a code."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """What somebody agreed to, beside rules and privacy notice, to which everybody does.

    Their versions are those that were shown; None is what holds now, as clients say that know of no versions. They ask
    for no more than that, so health data and age are still to be asked: None.
    """

    rules: str | None = None
    privacy: str | None = None
    health_data: bool | None = None
    of_age: bool | None = None


@dataclass(frozen=True, slots=True)
class NewMember:
    """What somebody signs up with. `invite` is the code of a link to a group, or of the first administrator's."""

    handle: str
    name: str
    password: str
    email: str | None = None
    invite: str | None = None
    industry: bool = False
    agreed: Agreed = Agreed()


class SignedUp(NamedTuple):
    """A new member's session, the recovery codes, shown this once, and the group whose invitation let them in."""

    started: Started
    recovery_codes: list[str]
    group_id: int | None


async def sign_up(node: Node, new: NewMember, browser: Browser) -> SignedUp:
    """Makes an account, lets it into the group that invited it, and begins its session.

    Raises `not_agreed`, `too_young`, `changed_meanwhile`, `signup_closed`, `signup_invited`, `invite_ended`,
    `handle_taken`, `password_weak`, or names a wrong field. Whether an address is known is never told.
    """
    _require_agreed(new.agreed)
    require_handle(new.handle)
    trusted = not node.settings.newcomer_limits
    account = NewAccount(new.handle, read_name(new.name), read_email(new.email), industry=new.industry, trusted=trusted)
    door = await find_door(node, new.invite)
    await node.database.read(lambda connection: _require_free(connection, new.handle))
    await node.passwords.require_strong(new.password, [new.handle, new.name, *(new.email or "").split("@")])
    hashed = await node.passwords.hash(new.password)
    codes = recovery.new_codes()

    def verb(tx: Transaction) -> SignedUp:
        started, group_id = _sign_up(tx, account, hashed, codes, door, new.invite or "", browser)
        _agree(tx, started.me.account_id, new.agreed, node.house.now.minimum_age)
        return SignedUp(started, codes, group_id)

    return await node.log.write(verb)


def _require_agreed(agreed: Agreed) -> None:
    if agreed.of_age is False:
        raise HubError("too_young", fields={"of_age": "must be true"})
    if agreed.health_data is False:
        raise HubError("not_agreed", fields={"health_data": "must be true"})


async def find_door(node: Node, code: str | None) -> Door:
    """What the code opens. Raises what the hub tells those whom it does not let in."""
    signup = node.house.now.signup
    door = None if code is None else await node.database.read(lambda connection: _read_door(connection, code))
    if signup == "closed" and door != "first_admin":
        raise HubError("signup_closed")
    if code is None and signup == "invited":
        raise HubError("signup_invited")
    if code is not None and door is None:
        raise HubError("invite_ended")
    return door


def _sign_up(
    tx: Transaction, account: NewAccount, hashed: str, codes: list[str], door: Door, code: str, browser: Browser
) -> tuple[Started, int | None]:
    if door == "first_admin":
        if not links.use_first_admin(tx, code):
            raise HubError("invite_ended")
        account = account._replace(role="admin", trusted=True)
    elif door == "invite":
        account = account._replace(trusted=True)  # somebody here knows them
    _require_free(tx.connection, account.handle)
    made = insert(tx, account, hashed)
    credentials.put_recovery(tx.connection, made.account_id, map(recovery.hash_code, codes), tx.now)
    group_id = invites.accept(tx, _caller(account, made), code) if door == "invite" else None
    return begin(tx, made.account_id, browser), group_id


def _agree(tx: Transaction, account_id: int, agreed: Agreed, minimum_age: int) -> None:
    """Keeps each consent by itself. Raises `changed_meanwhile` where another version was shown than holds."""
    held = policies.read_versions(tx.connection)
    given: dict[What, str] = {}
    if "rules" in held:
        given["rules"] = agreed.rules or held["rules"]
    if "privacy" in held:
        given["privacy"] = agreed.privacy or held["privacy"]
        if agreed.health_data:
            given["health_data"] = given["privacy"]
    if agreed.of_age:
        given["age"] = str(minimum_age)
    consents.record(tx, account_id, given, minimum_age)


def _read_door(connection: Connection, code: str) -> Door:
    hashed, now = hash_secret(code), now_ms()
    link = read_link(connection, hashed, now)
    if link is not None and link.purpose == "first_admin" and not accounts.has_administrator(connection):
        return "first_admin"
    return "invite" if read_invite(connection, hashed, now) else None


def _require_free(connection: Connection, handle: str) -> None:
    if accounts.is_likeness_taken(connection, likeness(handle)):
        raise HubError("handle_taken")


def _caller(account: NewAccount, made: Made) -> Caller:
    """The new member as who asks to be let in."""
    return Caller(
        made.account_id, made.persona_id, account.handle, account.name, made.inbox_id, account.role, "shared",
        None, None, frozenset(SCOPES), 0, 0,
    )  # fmt: skip
