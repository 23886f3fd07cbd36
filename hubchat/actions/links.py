"""One-time links: to become the first administrator, and to sign in somebody who lost everything else."""

import secrets
from pathlib import Path
from typing import Final

from hubchat.addresses import home
from hubchat.channels.transaction import Transaction
from hubchat.node import Node
from hubchat.storage import accounts, links
from hubchat.storage.sessions import hash_secret

LINK_MS: Final = 3_600_000  # an hour: it is used at once, or made again
CODE_BYTES: Final = 16  # 128 random bits
FILE: Final = "first-admin"


async def first_admin_link(node: Node, port: int) -> str | None:
    """A new link, good for an hour and once, that makes whoever signs up by it administrator; earlier ones are dead.

    None, and no link is left, where there is an administrator. `port` is the one served. Show it on a terminal only,
    else `write_first_admin` it: whoever reads it owns the hub.
    """
    code = secrets.token_urlsafe(CODE_BYTES)

    def verb(tx: Transaction) -> bool:
        links.delete_links(tx.connection, "first_admin")
        if accounts.has_administrator(tx.connection):
            return False
        _put(tx, code, "first_admin", None)
        return True

    if not await node.log.write(verb):
        (node.settings.data / FILE).unlink(missing_ok=True)
        return None
    return f"{home(node.settings, port).url}/sign-up#{code}"


def write_first_admin(data: Path, link: str) -> Path:
    """Writes the link where only the hub's own user reads it, and gives the file."""
    path = data / FILE
    path.unlink(missing_ok=True)  # a file that is there keeps its mode
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(link + "\n", "utf-8")
    return path


async def sign_in_link(node: Node, port: int, account_id: int) -> str:
    """A new link, good for an hour and once, that signs in to this account; the earlier one is dead."""
    code = secrets.token_urlsafe(CODE_BYTES)
    await node.log.write(lambda tx: _put(tx, code, "sign_in", account_id))
    return f"{home(node.settings, port).url}/sign-in#{code}"


def use_first_admin(tx: Transaction, code: str) -> bool:
    """Uses the link up. False where it is none, has ended, or there is an administrator by now."""
    if links.use_link(tx.connection, hash_secret(code), "first_admin", tx.now) is None:
        return False
    return not accounts.has_administrator(tx.connection)


def _put(tx: Transaction, code: str, purpose: links.Purpose, account_id: int | None) -> None:
    links.put_link(tx.connection, hash_secret(code), purpose, account_id, expires_at=tx.now + LINK_MS, now=tx.now)
