"""Which Redis servers a bus speaks to, by its address: one, one that Sentinel names, or the primaries of a cluster.

redis://[user:password@]host:port[/db]            rediss:// with TLS, unix:///path for a socket
redis+sentinel://[user:password@]host:port,host:port/service[/db]
redis+cluster://[user:password@]host:port,host:port                  rediss+… with TLS
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from redis.asyncio import ConnectionPool, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff

SCHEMES: Final = (
    "redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
)  # fmt: skip
SOCKET_S: Final = 1.0  # a server that takes longer to connect or to take bytes is as good as down: SQL is asked
SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379


class Servers(Protocol):
    """The servers of one bus, by names that last as long as each keeps its place."""

    sharded: bool
    """Whether topics are divided among them (SSUBSCRIBE, SPUBLISH)."""

    async def find(self) -> Sequence[str]:
        """Who takes part now. Raises RedisError, OSError."""

    def of(self, topic: str) -> str:
        """Who carries a topic, as of the last `find`."""

    def connection(self, name: str) -> AbstractConnection:
        """A new connection to a server, not yet opened."""

    async def close(self) -> None: ...


def servers_at(url: str) -> Servers:
    """The servers that an address means. Raises ValueError with the shape that is wanted."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ValueError("want redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
    if scheme.endswith("+sentinel"):
        return Watched(url)
    return Clustered(url) if scheme.endswith("+cluster") else One(url)


class One:
    """A single server."""

    sharded = False

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(url, **_options())

    async def find(self) -> Sequence[str]:
        return ["redis"]

    def of(self, topic: str) -> str:
        return "redis"

    def connection(self, name: str) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()
        return made

    async def close(self) -> None:
        return


class Watched:
    """The primary that Sentinel names, asked at each connection."""

    sharded = False

    def __init__(self, url: str) -> None:
        hosts, login, path, tls = _parts(url, SENTINEL_PORT)
        service, _, db = path.partition("/")
        if not service:
            raise ValueError("want redis+sentinel://HOST:PORT,…/SERVICE")
        options = _options() | login | ({"db": int(db)} if db else {})
        asked = {"socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S}
        self._sentinel = Sentinel(hosts, sentinel_kwargs=asked)
        self._pool = SentinelConnectionPool(service, self._sentinel, ssl=tls, **options)

    async def find(self) -> Sequence[str]:
        return ["redis"]

    def of(self, topic: str) -> str:
        return "redis"

    def connection(self, name: str) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()
        return made

    async def close(self) -> None:
        for sentinel in self._sentinel.sentinels:
            await sentinel.aclose()


class Clustered:
    """The primaries of a cluster; each topic belongs to one of them, by its slot."""

    sharded = True

    def __init__(self, url: str) -> None:
        hosts, login, path, tls = _parts(url, REDIS_PORT)
        if path:
            raise ValueError("a cluster has no databases or services: want redis+cluster://HOST:PORT,…")
        self._first = [ClusterNode(host, port) for host, port in hosts]
        self._login, self._tls = login, tls
        self._cluster: RedisCluster | None = None
        self._nodes: dict[str, ClusterNode] = {}

    async def find(self) -> Sequence[str]:
        await self.close()
        options = {"socket_timeout": SOCKET_S, "socket_connect_timeout": SOCKET_S, "protocol": 2} | self._login
        cluster = RedisCluster(startup_nodes=list(self._first), ssl=self._tls, **options)  # type: ignore[arg-type]
        self._cluster = await cluster.initialize()
        self._nodes = {node.name: node for node in cluster.get_primaries()}
        return list(self._nodes)

    def of(self, topic: str) -> str:
        assert self._cluster is not None, "first find"
        node = self._cluster.nodes_manager.get_node_from_slot(self._cluster.keyslot(topic))
        return str(node.name)

    def connection(self, name: str) -> AbstractConnection:
        node = self._nodes[name]
        return node.connection_class(**(node.connection_kwargs | _options()))

    async def close(self) -> None:
        if self._cluster is not None:
            await self._cluster.aclose()
            self._cluster = None


def _options() -> dict[str, Any]:
    """Nothing is tried again behind our back: after a loss the bus has to know that there was one."""
    return {
        "protocol": 2,
        "socket_timeout": SOCKET_S,
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
