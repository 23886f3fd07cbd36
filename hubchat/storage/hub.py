"""Facts about this hub, by key."""

import sqlalchemy as sa

from hubchat.storage.tables import Hub

_table = Hub.__table__  # type: ignore[attr-defined]  # SQLModel does not type it


def read_fact(connection: sa.Connection, key: str) -> str | None:
    return connection.execute(sa.select(_table.c.value).where(_table.c.key == key)).scalar_one_or_none()
