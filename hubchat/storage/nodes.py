"""The nodes of a hub, by the database's clock: their own may differ."""

from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import CLOCK_MS

FORGOTTEN_MS: Final = 86_400_000  # rows of nodes that went without saying so


class Peer(NamedTuple):
    """A node, and for how long it has not beaten."""

    id: int
    is_bus_ok: bool
    silent_ms: int


def beat(connection: sa.Connection, node: int, is_bus_ok: bool) -> list[Peer]:
    """Notes that a node lives, and gives every node."""
    now = CLOCK_MS[connection.dialect.name]
    connection.execute(
        sa.text(
            f"INSERT INTO node (id, beat_at, bus_ok) VALUES (:id, {now}, :ok) "
            f"ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, bus_ok = excluded.bus_ok"
        ),
        {"id": node, "ok": is_bus_ok},
    )
    connection.execute(sa.text(f"DELETE FROM node WHERE beat_at < {now} - :kept"), {"kept": FORGOTTEN_MS})
    rows = connection.execute(sa.text(f"SELECT id, bus_ok, {now} - beat_at AS silent_ms FROM node"))
    return [Peer(row.id, bool(row.bus_ok), row.silent_ms) for row in rows]


def leave(connection: sa.Connection, node: int) -> None:
    """Takes a node's row away."""
    connection.execute(sa.text("DELETE FROM node WHERE id = :id"), {"id": node})


def read_nodes(connection: sa.Connection) -> list[Peer]:
    """Every node that has a row: none where a hub is one alone."""
    now = CLOCK_MS[connection.dialect.name]
    rows = connection.execute(sa.text(f"SELECT id, bus_ok, {now} - beat_at AS silent_ms FROM node ORDER BY id"))
    return [Peer(row.id, bool(row.bus_ok), row.silent_ms) for row in rows]


def read_server_version(connection: sa.Connection) -> str:
    """Of SQLite or PostgreSQL."""
    query = "SELECT sqlite_version()" if connection.dialect.name == "sqlite" else "SHOW server_version"
    return str(connection.execute(sa.text(query)).scalar_one())
