"""Recovery codes: the way back in for who lost the password. Ten at a time, each good once."""

import base64
import secrets
from typing import Final

from hubchat.actions.proofs import Browser, begin_try, require_password_kept
from hubchat.actions.sessions import Started, begin, end_others
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import credentials
from hubchat.storage.sessions import Caller, hash_secret

CODES: Final = 10
CODE_BYTES: Final = 10  # 80 random bits, 16 characters: no slow hash is needed, and they can be copied by hand


def new_codes() -> list[str]:
    """Ten new codes, as they are shown: `abcd-efgh-ijkl-mnop`."""
    drawn = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower() for _ in range(CODES)]
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in drawn]


def hash_code(code: str) -> str:
    """The hash of a code, however it was typed: capitals, spaces and dashes don't matter; 0 is o, 1 is l, 8 is b."""
    typed = "".join(code.lower().split()).replace("-", "")
    return hash_secret(typed.translate(_MISREAD))


async def recover(node: Node, login: str, code: str, password: str, browser: Browser) -> tuple[Started, int]:
    """Uses a code up, sets the password, ends every session and begins one; and how many codes are left.

    Raises `password_weak` before anything is tried, `sign_in_wrong`, `too_many_tries`.
    """
    await node.passwords.require_strong(password, [login])
    proof, tried = await begin_try(node, login, browser)
    hashed = await node.passwords.hash(password)  # before the code is looked at, so that the time tells nothing

    def verb(tx: Transaction) -> tuple[Started, int]:
        account_id = proof.account_id if proof else 0  # nobody's: the same steps, and no code fits
        if not credentials.use_recovery(tx.connection, account_id, hash_code(code), tx.now):
            raise HubError("sign_in_wrong")
        credentials.put_password(tx.connection, account_id, hashed, tx.now)
        credentials.forget_devices(tx.connection, account_id, None)
        end_others(tx, account_id, None)
        return begin(tx, account_id, browser), credentials.count_recovery(tx.connection, account_id)

    started = await node.log.write(verb)
    node.throttle.succeeded(tried)
    return started


async def renew_codes(node: Node, caller: Caller) -> list[str]:
    """Ten new codes; the old ones are dead."""
    await require_password_kept(node, caller)
    codes = new_codes()
    hashes = [hash_code(code) for code in codes]
    await node.log.write(lambda tx: credentials.put_recovery(tx.connection, caller.account_id, hashes, tx.now))
    return codes


_MISREAD: Final = str.maketrans("018", "olb")  # base32 has none of these digits
