"""Rules and privacy notice as all nodes show them, and who agreed to which version."""

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import Connection, new_id
from hubchat.storage.tables import Consent

_consent = Consent.__table__  # type: ignore[attr-defined]  # SQLModel does not type it


class Notice(NamedTuple):
    """A notice in the version that holds since `at`: language → text."""

    name: str
    version: str
    at: int
    texts: dict[str, str]


class ConsentRow(NamedTuple):
    """That somebody agreed."""

    what: str
    version: str
    at: int
    withdrawn_at: int | None


def put_notice(connection: Connection, name: str, version: str, texts: Mapping[str, str], now: int) -> None:
    """Makes this the version that holds; one that did before holds again."""
    query = sa.text(
        "INSERT INTO policy (name, version, lang, text, at) VALUES (:name, :version, :lang, :text, :now) "
        "ON CONFLICT (name, version, lang) DO UPDATE SET at = excluded.at"
    )
    for lang, text in texts.items():
        connection.execute(query, {"name": name, "version": version, "lang": lang, "text": text, "now": now})


def read_versions(connection: Connection) -> dict[str, str]:
    """Notice → the version that holds."""
    rows = connection.execute(sa.text("SELECT name, version, max(at) AS at FROM policy GROUP BY name, version"))
    return {row.name: row.version for row in sorted(rows, key=lambda row: (row.at, row.version))}


def read_notices(connection: Connection) -> dict[str, Notice]:
    """Every notice in the version that holds."""
    found = {name: Notice(name, version, 0, {}) for name, version in sorted(read_versions(connection).items())}
    for row in connection.execute(sa.text("SELECT name, version, lang, text, at FROM policy ORDER BY lang")):
        notice = found[row.name]
        if row.version == notice.version:
            notice.texts[row.lang] = row.text
            found[row.name] = notice._replace(at=row.at)
    return found


def read_consents(connection: Connection, account_id: int) -> list[ConsentRow]:
    """All that somebody ever agreed to, oldest first."""
    query = (
        sa.select(*(_consent.c[name] for name in ConsentRow._fields))
        .where(_consent.c.account_id == account_id)
        .order_by(_consent.c.at, _consent.c.id)
    )
    return [ConsentRow(*row) for row in connection.execute(query)]


def insert_consent(connection: Connection, account_id: int, what: str, version: str, now: int) -> None:
    row = {"id": new_id(), "account_id": account_id, "what": what, "version": version, "at": now}
    connection.execute(sa.insert(_consent), row)


def withdraw_consent(connection: Connection, account_id: int, what: str, now: int) -> bool:
    """Takes back every consent of this kind; False where there was none."""
    mine = (_consent.c.account_id == account_id, _consent.c.what == what, _consent.c.withdrawn_at.is_(None))
    return bool(connection.execute(sa.update(_consent).where(*mine).values(withdrawn_at=now)).rowcount)
