"""Proving who one is by a password or a recovery code: the same steps and answers whether the handle exists or not."""

from typing import Final, NamedTuple

from hubchat.actions.names import HANDLE
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.passwords import require_short
from hubchat.storage import credentials
from hubchat.storage.credentials import Proof
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller, hash_secret
from hubchat.throttle import Try

CONFIRMED_MS: Final = 10 * 60_000  # how long a password counts as just given


class Browser(NamedTuple):
    """What is known of who tries to sign in. `session` and `device` are the secrets of its cookies, if it has any."""

    address: str
    agent: str | None = None
    session: str | None = None
    device: str | None = None

    @property
    def device_hash(self) -> str | None:
        return hash_secret(self.device) if self.device else None


async def prove_password(node: Node, login: str, password: str, browser: Browser) -> int:
    """The account that login and password belong to. Raises `sign_in_wrong` or `too_many_tries`."""
    require_short(password)
    proof, tried = await begin_try(node, login, browser)
    right = await node.passwords.prove(proof and proof.password, password)
    if not right or proof is None or proof.password is None:
        raise HubError("sign_in_wrong")
    node.throttle.succeeded(tried)
    if node.passwords.is_outgrown(proof.password):
        await _renew(node, proof.account_id, proof.password, password)
    return proof.account_id


def require_confirmed(caller: Caller) -> None:
    """Raises `confirm_needed` unless `is_confirmed`."""
    if not is_confirmed(caller):
        raise HubError("confirm_needed")


def is_confirmed(caller: Caller) -> bool:
    """Whether this session's password was given, or it began, within 10 minutes; a token never had one."""
    return caller.confirmed_at >= now_ms() - CONFIRMED_MS


async def require_password_kept(node: Node, caller: Caller) -> None:
    """Raises `not_allowed` for the invented people of a demo: whoever plays them gives them no password."""
    account_id = caller.account_id
    if node.settings.demo and not await node.database.read(lambda c: credentials.has_password(c, account_id)):
        raise HubError("not_allowed", "members of the demo have no password")


async def begin_try(node: Node, login: str, browser: Browser) -> tuple[Proof | None, Try]:
    """What a try is proved against, once it is counted. Raises `sign_in_wrong` for what can be no handle."""
    handle = login.strip().removeprefix("@").lower()
    if not HANDLE.fullmatch(handle):
        raise HubError("sign_in_wrong")
    device = browser.device_hash
    proof = await node.database.read(lambda connection: credentials.read_proof(connection, handle, device))
    known = device if proof is not None and proof.is_device else None
    return proof, node.throttle.begin(handle, browser.address, known)


async def _renew(node: Node, account_id: int, old: str, password: str) -> None:
    """Hashes the password as the settings ask now."""
    new = await node.passwords.hash(password)
    await node.log.write(lambda tx: credentials.replace_outgrown(tx.connection, account_id, old, new))
