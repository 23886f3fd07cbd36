"""Which Redis servers a bus speaks to, by its address: one, one that Sentinel names, or the primaries of a cluster.

redis://[user:password@]host:port[/db]            rediss:// with TLS, unix:///path for a socket
redis+sentinel://[user:password@]host:port,host:port/service[/db]
redis+cluster://[user:password@]host:port,host:port                  rediss+… with TLS

The login is the servers'; Sentinels have another one or none, as ?sentinel_username=…&sentinel_password=…. With TLS
they speak it too. Who signed the certificates is told by ?ssl_ca_certs=FILE, where the system does not know them.
"""

from collections.abc import Set
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.asyncio import ConnectionPool, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisClusterException

from hubchat.settings import SettingsError

SOCKET_S: Final = 1.0  # a server that takes longer to connect, to take bytes or to answer is as good as down
SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379
TLS: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
SENTINEL: Final = "sentinel_"
SHAPES: Final = (
    "redis://HOST:PORT[/NUMBER], rediss://… with TLS, unix:///PATH, redis+sentinel://HOST:PORT,…/SERVICE or "
    "redis+cluster://HOST:PORT,…"
)


class Servers(Protocol):
    """The servers of one bus, by names that last as long as each keeps its place."""

    sharded: bool
    """Whether topics are divided among them (SSUBSCRIBE, SPUBLISH)."""

    names: list[str]
    """Who takes part, as of the last `find`."""

    async def find(self) -> bool:
        """Looks who takes part; whether that, or who carries what, is other than before. Raises RedisError, OSError."""

    def of(self, topic: str) -> str:
        """Who carries a topic; nobody's name where none does."""

    def connection(self, name: str) -> AbstractConnection:
        """A new connection to a server, not yet opened."""

    async def close(self) -> None: ...


def servers_at(url: str) -> Servers:
    """The servers that HUBCHAT_REDIS_URL means. Raises SettingsError with the shape that is wanted, not the value."""
    scheme = urlsplit(url).scheme
    kind = Watched if scheme.endswith("+sentinel") else Clustered if scheme.endswith("+cluster") else One
    try:
        return kind(url)
    except (ValueError, TypeError):
        raise SettingsError(f"HUBCHAT_REDIS_URL: want {SHAPES}") from None


class One:
    """A single server."""

    sharded = False

    def __init__(self, url: str) -> None:
        self.names = ["redis"]
        parts = urlsplit(url)
        options = _options()
        if parts.scheme == "unix":
            del options["socket_keepalive"]  # is TCP's
        elif parts.path.strip("/"):
            int(parts.path.strip("/"))  # redis-py takes what is no number for the first database
        self._pool: ConnectionPool = ConnectionPool.from_url(url, **options)
        self.connection(self.names[0])  # what the address says wrongly of it shows here

    async def find(self) -> bool:
        return False

    def of(self, topic: str) -> str:
        return self.names[0]

    def connection(self, name: str) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()
        return made

    async def close(self) -> None:
        return


class Watched(One):
    """The primary that Sentinel names, asked at each connection."""

    def __init__(self, url: str) -> None:
        self.names = ["redis"]
        hosts, login, path, tls = _parts(url, SENTINEL_PORT)
        service, _, db = path.partition("/")
        if not service:
            raise ValueError("no service")
        asked = _query(url, tls, {f"{SENTINEL}username", f"{SENTINEL}password"})
        secured = {"ssl": tls} | {name: value for name, value in asked.items() if name in TLS}
        own = {name.removeprefix(SENTINEL): value for name, value in asked.items() if name not in TLS}
        each_s = SOCKET_S / (len(hosts) + 1)  # so that the last one is asked too, when the others are silent
        once = {"retry": Retry(NoBackoff(), 0), "socket_timeout": each_s, "socket_connect_timeout": each_s}
        self._sentinel = Sentinel(hosts, sentinel_kwargs=once | own | secured)
        options = _options() | login | secured | ({"db": int(db)} if db else {})
        self._pool = SentinelConnectionPool(service, self._sentinel, **options)

    async def close(self) -> None:
        for sentinel in self._sentinel.sentinels:
            await sentinel.aclose()


class Clustered:
    """The primaries of a cluster; each topic belongs to one of them, by its slot."""

    sharded = True

    def __init__(self, url: str) -> None:
        self.names: list[str] = []
        hosts, login, path, tls = _parts(url, REDIS_PORT)
        if path:
            raise ValueError("a cluster has no databases or services")
        self._hosts = hosts
        asked = {"socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S, "protocol": 2}
        self._options: dict[str, Any] = asked | login | {"ssl": tls} | _query(url, tls)
        self._nodes: dict[str, ClusterNode] = {}
        self._owners: dict[int, str] = {}  # slot → name

    async def find(self) -> bool:
        first = [ClusterNode(host, port) for host, port in self._hosts]
        try:
            async with RedisCluster(startup_nodes=first, require_full_coverage=False, **self._options) as cluster:
                slots = cluster.nodes_manager.slots_cache.items()
                owners = {slot: str(nodes[0].name) for slot, nodes in slots if nodes}
                self._nodes = {str(node.name): node for node in cluster.get_primaries()}
        except RedisClusterException as error:  # is no RedisError
            raise ConnectionError(str(error)) from error
        self._owners, was = owners, self._owners
        self.names = sorted(set(owners.values()))
        return owners != was

    def of(self, topic: str) -> str:
        return self._owners.get(key_slot(topic.encode()), "")

    def connection(self, name: str) -> AbstractConnection:
        node = self._nodes[name]
        return node.connection_class(**(node.connection_kwargs | _options()))

    async def close(self) -> None:
        return


def _options() -> dict[str, Any]:
    """Nothing is tried again behind our back: after a loss the bus has to know that there was one.

    No `socket_timeout`: with one, redis-py sends by `asyncio.wait_for`, which until Python 3.12 may lose the
    cancellation that closes a lane. A lane has timeouts of its own.
    """
    return {
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": SOCKET_S,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }


def _parts(url: str, port: int) -> tuple[list[tuple[str, int]], dict[str, str], str, bool]:
    """Hosts with ports, user and password, what follows, and whether it is TLS."""
    parts = urlsplit(url)
    login, _, places = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    hosts: list[tuple[str, int]] = []
    for place in places.split(","):
        host, _, given = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "")
        if not host:
            raise ValueError("want HOST:PORT, by commas")
        hosts.append((host.strip("[]"), int(given or port)))
    known = {"username": unquote(user), "password": unquote(password)}
    given_login = {name: value for name, value in known.items() if value}
    return hosts, given_login, parts.path.strip("/"), parts.scheme.startswith("rediss")


def _query(url: str, tls: bool, names: Set[str] = frozenset()) -> dict[str, str]:
    """What follows `?`: these names, and with TLS its own. A plus sign is one, as in a login. Raises ValueError."""
    given = dict(parse_qsl(urlsplit(url).query.replace("+", "%2B")))
    if given.keys() - names - (TLS if tls else set()):
        raise ValueError("no such option")
    return given
