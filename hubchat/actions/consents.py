"""What members agree to: rules, privacy notice, health data, their age; asked again for each new version."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.policies import read_policies, version_of
from hubchat.settings import Settings
from hubchat.storage import accounts, policies
from hubchat.storage.accounts import WITHDRAWN
from hubchat.storage.database import Connection, Unavailable
from hubchat.storage.policies import ConsentRow
from hubchat.storage.sessions import Caller

log = logging.getLogger(__name__)

What: TypeAlias = Literal["rules", "privacy", "health_data", "age"]
EVERY: Final[tuple[What, ...]] = get_args(What)
NEEDED: Final[tuple[What, ...]] = ("rules", "privacy", "health_data")
"""Without these, taken back, nothing may be kept of somebody or shown to them but what is theirs."""


class Due(NamedTuple):
    """What somebody has not agreed to as it is now, and the version that they would agree to."""

    what: What
    version: str


async def publish(node: Node) -> None:
    """Makes the notices of the data folder those that hold, on all nodes, where they are others. Raises PolicyError.

    Where the database goes a moment after the start, the former ones hold until the next.
    """
    found = await asyncio.to_thread(read_policies, node.settings.data, values_of(node.settings))

    def publish(tx: Transaction) -> None:
        held = policies.read_versions(tx.connection)
        for name, texts in found.items():
            if (version := version_of(texts)) != held.get(name):
                policies.put_notice(tx.connection, name, version, texts, tx.now)

    try:
        await node.log.write(publish)
    except Unavailable:
        log.warning("rules and privacy notice could not be looked at; the next start does")


def values_of(settings: Settings) -> dict[str, str]:
    """What stands in a notice for the words in braces."""
    return {"hub": settings.name, "minimum_age": str(settings.minimum_age)}


def versions(held: Mapping[str, str], minimum_age: int) -> dict[What, str]:
    """What is agreed to now. Health data goes with the privacy notice, which says what becomes of it."""
    found: dict[What, str] = {"age": str(minimum_age)}
    if "rules" in held:
        found["rules"] = held["rules"]
    if "privacy" in held:
        found["privacy"] = found["health_data"] = held["privacy"]
    return {what: found[what] for what in EVERY if what in found}


def due(wanted: Mapping[What, str], given: Iterable[ConsentRow]) -> list[Due]:
    """What is still to be agreed to, in its order. Who was old enough for more is old enough."""
    held = {(row.what, row.version) for row in given if row.withdrawn_at is None}
    oldest = max((int(version) for what, version in held if what == "age"), default=-1)
    return [
        Due(what, version)
        for what, version in wanted.items()
        if (what, version) not in held and not (what == "age" and oldest >= int(version))
    ]


async def read_due(node: Node, account_id: int) -> list[Due]:
    """What somebody is to be asked."""
    given, held = await node.database.read(
        lambda connection: (policies.read_consents(connection, account_id), policies.read_versions(connection))
    )
    return due(versions(held, node.house.now.minimum_age), given)


async def agree(node: Node, caller: Caller, given: Mapping[What, str]) -> None:
    """Agrees to these, each in its version of now: else `changed_meanwhile`. With all that is needed, one is back."""

    def agree(tx: Transaction) -> None:
        record(tx, caller.account_id, given, node.house.now.minimum_age)
        if caller.is_withdrawn and not is_lacking(tx.connection, caller.account_id):
            accounts.update_account(tx.connection, caller.account_id, state="active")
            tx.revoke("presence", account=caller.account_id)

    await node.log.write(agree)


def record(tx: Transaction, account_id: int, given: Mapping[What, str], minimum_age: int) -> None:
    """Keeps consents, where they are to what holds now. Raises `changed_meanwhile`."""
    wanted = versions(policies.read_versions(tx.connection), minimum_age)
    if any(wanted.get(what) != version for what, version in given.items()):
        raise HubError("changed_meanwhile", facts={"versions": dict(wanted)})
    missing = {one.what for one in due(wanted, policies.read_consents(tx.connection, account_id))}
    for what, version in given.items():
        if what in missing:
            policies.insert_consent(tx.connection, account_id, what, version, tx.now)


async def withdraw(node: Node, caller: Caller, what: What) -> None:
    """Takes a consent back. From then on one may agree again, export and delete oneself, and nothing else.

    Raises `thing_unknown` where there was none; `not_allowed` for one's age, which is no consent.
    """
    if what not in NEEDED:
        raise HubError("not_allowed", "an age is not taken back")

    def withdraw(tx: Transaction) -> None:
        if not policies.withdraw_consent(tx.connection, caller.account_id, what, tx.now):
            raise HubError("thing_unknown")
        accounts.update_account(tx.connection, caller.account_id, state=WITHDRAWN)
        tx.revoke("ended", account=caller.account_id)

    await node.log.write(withdraw)


def is_lacking(connection: Connection, account_id: int) -> bool:
    """Whether something that is needed was taken back and not given again."""
    given = policies.read_consents(connection, account_id)
    held = {row.what for row in given if row.withdrawn_at is None}
    return any(row.what in NEEDED and row.what not in held for row in given)
