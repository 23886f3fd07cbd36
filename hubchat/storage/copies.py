"""Every row of a hub, out and in, as plain values: a copy made on one database is put back on either."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import SQLModel

from hubchat.errors import OperatorError
from hubchat.storage import tables
from hubchat.storage.database import Connection, new_id
from hubchat.storage.schema import upgrade, write_hub

PAGE: Final = 1_000  # rows read, and put back, at once
LEFT_OUT: Final = frozenset({tables.Node.__tablename__})
"""What is true of processes that run."""

Row = Sequence[Any]
"""Values of a row, whole numbers, texts, truths and None, in the order of its columns."""


class NotEmpty(OperatorError):
    """There is a hub in the database already."""


def begin_copy(connection: Connection) -> str:
    """Sees the database from here on as it is now, whoever writes meanwhile; gives its schema's revision."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())


def copied_tables() -> list[tuple[str, list[str]]]:
    """Names and columns, each after those that it refers to."""
    return [(one.name, list(one.columns.keys())) for one in SQLModel.metadata.sorted_tables if one.name not in LEFT_OUT]


def read_pages(connection: Connection, name: str) -> Iterator[list[Row]]:
    """All rows of a table, in the order of its key."""
    table = SQLModel.metadata.tables[name]
    key = list(table.primary_key)
    page = sa.select(*table.columns).order_by(*key).limit(PAGE)
    last: tuple[Any, ...] | None = None
    while True:
        after = page if last is None else page.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, last)))
        rows = connection.execute(after).all()
        if rows:
            yield [tuple(row) for row in rows]
        if len(rows) < PAGE:
            return
        last = tuple(rows[-1]._mapping[column] for column in key)


def begin_restore(connection: Connection, revision: str) -> None:
    """Makes the schema that a copy was made of. Raises NotEmpty, SchemaNewer."""
    from hubchat.storage import migrating

    if sa.inspect(connection).get_table_names():
        raise NotEmpty("the database holds something already: restore into an empty one")
    migrating.make(connection, revision)


def put_back(connection: Connection, name: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Inserts copied rows, in the order of `columns`. Raises ValueError for a name that none of ours is."""
    names = list(columns)
    if not all(re.fullmatch(r"[a-z_]+", one) for one in (name, *names)):
        raise ValueError("no name of a table or column")
    values = ", ".join(f":{column}" for column in names)
    quoted = ", ".join(f'"{column}"' for column in names)
    made: list[Mapping[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
    try:
        connection.execute(sa.text(f'INSERT INTO "{name}" ({quoted}) VALUES ({values})'), made)
    except OperationalError:
        raise  # the database's own trouble
    except DBAPIError:
        raise ValueError("no rows of ours") from None


def end_restore(connection: Connection) -> None:
    """Brings the schema up to date, and says that this history is another one: clients forget their numbers."""
    upgrade(connection)
    write_hub(connection, "log", str(new_id()))
