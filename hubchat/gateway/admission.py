"""Who may open a live connection: Host, Origin, cookie or token, and how many one person or address may have."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple, TypeVar

from hubchat import __version__
from hubchat.actions import sessions
from hubchat.addresses import Home, home
from hubchat.errors import MEMBERS_ONLY, RESTARTING, SIGN_IN_ENDED, TOO_MANY_CONNECTIONS, HubError
from hubchat.gateway.expiry import Expiry
from hubchat.gateway.handshake import Rules, Upgrade
from hubchat.gateway.keeper import Keeper
from hubchat.gateway.link import Link
from hubchat.gateway.session import Session
from hubchat.headers import cookie_in, token_in
from hubchat.node import Key, Node
from hubchat.storage.database import now_ms
from hubchat.storage.sessions import Caller
from hubchat.throttle import network_of
from hubchat.wire import FRAME_BYTES, OPEN_COMMANDS, SUBSCRIPTIONS, TEXT_BYTES

K = TypeVar("K")


class Admitted(NamedTuple):
    """Who was let in, by what, and how far the access channel had been acted upon when that was asked."""

    caller: Caller | None
    key: Key | None
    epoch: int


class Admission:
    """The edge's Gateway: admits, opens sessions, counts them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rules = Rules()
        self.keeper = Keeper()
        self.expiry = Expiry(self._everybody, node.throttle.forget)
        self._of_member: Counter[int] = Counter()
        self._of_address: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._guests: set[Session] = set()
        self._on_closed = self._closed  # one for all sessions

    def start(self) -> None:
        """Starts the timers; wants a running loop."""
        self.keeper.open()
        self.node.house.on_change.append(self._send_guests_away)
        self.expiry.open()

    async def stop(self) -> None:
        self.node.house.on_change.remove(self._send_guests_away)
        await self.expiry.close()
        self.keeper.close()

    async def admit(self, request: Upgrade) -> Admitted:
        """Who this is; no caller is a guest. Raises HubError: `host_foreign`, `origin_foreign`, `sign_in_ended`, …"""
        settings = self.node.settings
        here = home(settings, request.port or settings.port)
        hosts = request.values("host")
        if len(hosts) != 1 or hosts[0].lower() not in here.hosts:
            raise HubError("host_foreign")
        epoch = self.node.hub.access_epoch
        key = _key(request, here)
        caller = await sessions.identify(self.node, *key) if key else None
        if caller is None and not self.node.house.now.guests:
            raise HubError("members_only")
        if caller is not None and caller.is_withdrawn:
            raise HubError("consent_needed")
        if caller is not None and "read" not in caller.scopes:
            raise HubError("scope_missing", "the token has not the scope `read`")
        if self._is_full(caller, request.address):
            raise HubError("too_many_connections", retry_after_ms=10_000)
        return Admitted(caller, key, epoch)

    def open(self, link: Link, admission: Admitted) -> Session:
        """Opens the session and speaks first."""
        was_full = self._is_full(admission.caller, link.address)  # by others that were let in meanwhile
        session = Session(self.node, link, admission.caller, self._on_closed)
        self._of_address[network_of(link.address)] += 1
        if admission.caller is not None:
            self._of_member[admission.caller.account_id] += 1
            self.expiry.watch(session)
            if admission.epoch != self.node.hub.access_epoch:
                self._ask_again(session, admission)
        else:
            self._guests.add(session)
        session.post({"welcome": self._welcome(admission.caller)})
        if was_full:
            session.bye(TOO_MANY_CONNECTIONS)
        elif admission.caller is None and not self.node.house.now.guests:  # since it was asked
            session.bye(MEMBERS_ONLY)
        return session

    def _is_full(self, caller: Caller | None, address: str) -> bool:
        """Whether this address, or this member, has all the connections it may have."""
        settings = self.node.settings
        of_address, of_member = settings.connections_per_address, settings.connections_per_member
        if of_address and self._of_address[network_of(address)] >= of_address:
            return True
        return bool(of_member and caller and self._of_member[caller.account_id] >= of_member)

    def _ask_again(self, session: Session, admission: Admitted) -> None:
        """Somebody's sign-in ended between the question and the opening: was it this one?"""

        async def ask() -> None:
            try:
                assert admission.key is not None, "who has a caller has a key"
                await sessions.identify(self.node, *admission.key)
            except HubError as error:  # while nobody can tell, it comes back and is asked again
                session.bye(SIGN_IN_ENDED if error.reason == "sign_in_ended" else RESTARTING)

        task = asyncio.create_task(ask())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _send_guests_away(self) -> None:
        """Where the hub is for members now, nobody else reads on."""
        if not self.node.house.now.guests:
            for session in list(self._guests):
                session.bye(MEMBERS_ONLY)

    def _everybody(self) -> list[Session]:
        readers = [reader for readers in self.node.hub.accounts.values() for reader in readers]
        return [reader for reader in readers if isinstance(reader, Session)]

    def _closed(self, session: Session) -> None:
        _count_down(self._of_address, network_of(session.link.address))
        self._guests.discard(session)
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
            "log": self.node.hub.log_id,
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


def _count_down(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _key(request: Upgrade, here: Home) -> Key | None:
    """A token wins over a cookie; with a cookie our own Origin is needed, a foreign one is refused anyhow."""
    if (token := token_in(next(iter(request.values("authorization")), None))) is not None:
        return "token", token
    cookie = cookie_in(request.values("cookie"), here.cookie)
    origin = next(iter(request.values("origin")), None)
    if origin not in here.origins and (cookie or origin is not None):
        raise HubError("origin_foreign")
    return ("session", cookie) if cookie else None
