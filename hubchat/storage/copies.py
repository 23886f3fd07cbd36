"""Every row of a hub, out and in, as plain values: a copy made on one database is put back on either."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import SQLModel

from hubchat.errors import OperatorError
from hubchat.storage import tables
from hubchat.storage.database import Connection, new_id
from hubchat.storage.schema import HEAD, LOCK, read_revision, upgrade, write_hub

PAGE: Final = 1_000  # rows read, and put back, at once
LEFT_OUT: Final = frozenset({tables.Node.__tablename__})
"""What is true of processes that run. The index of texts is no table of ours either: it is made anew from the log."""


class SchemaOther(OperatorError):
    """The database is of another release."""


Row = Sequence[Any]
"""Values of a row, whole numbers, texts, truths and None, in the order of its columns."""


class NotEmpty(OperatorError):
    """There is a hub in the database already."""


def begin_copy(connection: Connection) -> str:
    """Sees the database from here on as it is now, whoever writes meanwhile; gives its schema's revision.

    Raises SchemaOther: a table or column that this code does not know would be left out in silence.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    if (found := read_revision(connection)) != HEAD:
        raise SchemaOther(
            f"the database has schema {found}, and this hubchat copies {HEAD}: use the one that serves it"
        )
    return HEAD


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


Places = Mapping[str, frozenset[str]]
"""Tables that a copy may fill, with their columns."""


def begin_restore(connection: Connection, revision: str) -> Places:
    """Makes the schema that a copy was made of, and says what may be put there. Raises NotEmpty, SchemaNewer."""
    from hubchat.storage import migrating  # Alembic, as in storage/schema.py

    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})  # no node starts meanwhile
    if sa.inspect(connection).get_table_names():
        raise NotEmpty("the database holds something already: restore into an empty one")
    migrating.make(connection, revision)
    made = sa.inspect(connection)
    names = set(made.get_table_names()) & {name for name, _ in copied_tables()}
    return {name: frozenset(column["name"] for column in made.get_columns(name)) for name in names}


def put_back(connection: Connection, places: Places, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Inserts copied rows, in the order of `columns`. Raises ValueError for what has no place, or is no such row."""
    if not places.get(name, frozenset()).issuperset(columns) or name not in places:
        raise ValueError("no table or column of ours")
    values = ", ".join(f":{column}" for column in columns)
    quoted = ", ".join(f'"{column}"' for column in columns)
    made: list[Mapping[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    if not made:
        return
    try:
        connection.execute(sa.text(f'INSERT INTO "{name}" ({quoted}) VALUES ({values})'), made)
    except OperationalError:
        raise  # the database's own trouble
    except (DBAPIError, OverflowError):
        raise ValueError("no rows of ours") from None


def end_restore(connection: Connection) -> None:
    """Brings the schema up to date, and says that this history is another one: clients forget their numbers."""
    upgrade(connection)
    write_hub(connection, "log", str(new_id()))
