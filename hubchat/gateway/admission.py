"""Who may open a live connection: Host, Origin, cookie or token, and how many one person or address may have."""

import ipaddress
from collections import Counter
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from hubchat import __version__
from hubchat.actions import sessions
from hubchat.addresses import Home, home
from hubchat.errors import HubError
from hubchat.gateway.handshake import Rules, Upgrade
from hubchat.gateway.keeper import Keeper
from hubchat.gateway.link import Link
from hubchat.gateway.session import Session
from hubchat.node import Node
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller
from hubchat.wire import FRAME_BYTES, OPEN_COMMANDS, SUBSCRIPTIONS, TEXT_BYTES

K = TypeVar("K")


class Admission:
    """The edge's Gateway: admits, opens sessions, counts them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rules = Rules()
        self.keeper = Keeper()
        self._of_member: Counter[int] = Counter()
        self._of_address: Counter[str] = Counter()

    async def admit(self, request: Upgrade) -> Caller | None:
        """Who this is; None is a guest. Raises HubError: `host_foreign`, `origin_foreign`, `sign_in_ended`, …"""
        settings = self.node.settings
        here = home(settings, request.port or settings.port)
        if (request.values("host") or [""])[0].lower() not in here.hosts:
            raise HubError("host_foreign")
        caller = await self._identify(request, here)
        if caller is None and not settings.guests:
            raise HubError("members_only")
        if caller is not None and "read" not in caller.scopes:
            raise HubError("scope_missing", "the token has not the scope `read`")
        _require_below(settings.connections_per_address, self._of_address[_network(request.address)])
        if caller is not None:
            _require_below(settings.connections_per_member, self._of_member[caller.account_id])
        return caller

    async def _identify(self, request: Upgrade, here: Home) -> Caller | None:
        """A token wins over a cookie; with a cookie our own Origin is needed, a foreign one is refused anyhow."""
        if bearer := request.values("authorization"):
            scheme, _, token = bearer[0].partition(" ")
            if scheme.lower() != "bearer" or not token.strip():
                raise HubError("sign_in_ended")
            return await sessions.identify(self.node, "token", token.strip())
        cookie = _cookie(request, here.cookie)
        origin = next(iter(request.values("origin")), None)
        if origin not in here.origins and (cookie or origin is not None):
            raise HubError("origin_foreign")
        return await sessions.identify(self.node, "session", cookie) if cookie else None

    def open(self, link: Link, admission: Caller | None) -> Session:
        """Opens the session and speaks first."""
        session = Session(self.node, link, admission, self._closed)
        self._of_address[_network(link.address)] += 1
        if admission is not None:
            self._of_member[admission.account_id] += 1
        session.post({"welcome": self._welcome(admission)})
        return session

    def _closed(self, session: Session) -> None:
        _count_down(self._of_address, _network(session.link.address))
        if session.account_id is not None:
            _count_down(self._of_member, session.account_id)

    def _welcome(self, caller: Caller | None) -> dict[str, Any]:
        user = caller and {
            "id": caller.persona_id,
            "handle": caller.handle,
            "name": caller.name,
            "role": caller.hub_role,
            "inbox": caller.inbox_id,
        }
        return {
            "version": __version__,
            "log": self.node.log_id,
            "node": self.node.id,
            "time": now_ms(),
            "user": user,
            "limits": {
                "message_bytes": TEXT_BYTES,
                "frame_bytes": FRAME_BYTES,
                "subscriptions": SUBSCRIPTIONS,
                "commands_per_10s": self.node.settings.commands_per_10s,
                "open_commands": OPEN_COMMANDS,
            },
        }


def _require_below(limit: int, count: int) -> None:
    if limit and count >= limit:
        raise HubError("too_many_connections", retry_after_ms=10_000)


def _count_down(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _cookie(request: Upgrade, name: str) -> str | None:
    try:
        found = SimpleCookie("; ".join(request.values("cookie"))).get(name)
    except CookieError:
        return None
    return found.value if found else None


def _network(address: str) -> str:
    """What counts as one address: an IPv4 address, an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
