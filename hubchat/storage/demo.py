"""Whose a database is, as far as the demo needs to know: it touches none that it did not make itself."""

from typing import Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlmodel import SQLModel

from hubchat.storage import tables
from hubchat.storage.schema import read_hub, upgrade, write_hub

FACT: Final = "demo"

State: TypeAlias = Literal["bare", "half", "whole", "foreign"]
"""Without any table, half made by the demo, made by it, or somebody else's."""


def read_state(connection: sa.Connection) -> State:
    found = sa.inspect(connection).get_table_names()
    if not found:
        return "bare"
    if tables.Hub.__tablename__ not in found:
        return "foreign"
    states: dict[str | None, State] = {"making": "half", "made": "whole"}
    return states.get(read_hub(connection, FACT), "foreign")


def begin(connection: sa.Connection) -> None:
    """Makes the tables of a bare database, or empties a half-made one, and says whose it is: all or nothing."""
    if read_state(connection) == "half":
        for table in reversed(SQLModel.metadata.sorted_tables):
            connection.execute(table.delete())
    upgrade(connection)
    write_hub(connection, FACT, "making")


def finish(connection: sa.Connection) -> None:
    """From here on the demo is whole, and is never made again."""
    write_hub(connection, FACT, "made")
