"""Many rows in one statement: `json_each` on SQLite, `unnest` on PostgreSQL, one text for both."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import orjson
import sqlalchemy as sa

Type = Literal["bigint", "text"]


class Bulk:
    """A statement over a list of rows, which stand in its text as the table `{rows}`.

    `columns` name the rows' columns in order, with their types. Further values are ordinary parameters.
    """

    def __init__(self, sql: str, **columns: Type) -> None:
        picks = ", ".join(f"value ->> {i} AS {name}" for i, name in enumerate(columns))
        lite = f"(SELECT {picks} FROM json_each(:rows_)) AS rows_"
        casts = ", ".join(f"CAST(:{name}_ AS {kind}[])" for name, kind in columns.items())
        post = f"unnest({casts}) AS rows_({', '.join(columns)})"
        self.columns: Final = tuple(columns)
        self._lite = sa.text(sql.replace("{rows}", lite))
        self._post = sa.text(sql.replace("{rows}", post))

    def run(self, connection: sa.Connection, rows: Sequence[Sequence[Any]], **more: Any) -> sa.CursorResult[Any]:
        """Runs the statement once over all `rows`."""
        if connection.dialect.name == "sqlite":
            return connection.execute(self._lite, {"rows_": orjson.dumps(rows, default=tuple).decode(), **more})
        turned = zip(*rows, strict=True) if rows else ([] for _ in self.columns)
        return connection.execute(
            self._post, {f"{name}_": list(values) for name, values in zip(self.columns, turned, strict=True)} | more
        )
