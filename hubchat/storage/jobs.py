"""Jobs: written with their cause, claimed with a lease by the database's clock, so that no two do one at once."""

from collections.abc import Collection
from typing import Final, NamedTuple

import sqlalchemy as sa

from hubchat.storage.database import CLOCK_MS, Connection, new_id


class Job(NamedTuple):
    """A job that was claimed, by whoever holds its `lease`. `tries` counts this one."""

    id: int
    kind: str
    subject: int | None
    tries: int
    lease: int


class Backlog(NamedTuple):
    """Whether a job is free to be taken, how many are due (those under way too), and how many are parked."""

    due: bool = False
    waiting: int = 0
    parked: int = 0


_FREE: Final = "parked_at IS NULL AND due_at <= {now} AND (leased_until IS NULL OR leased_until <= {now})"
_PUT: Final = (
    "INSERT INTO job (id, kind, subject, key, due_at, tries, created_at) "
    "VALUES (:id, :kind, :subject, :key, {now} + :in_ms, 0, {now}) ON CONFLICT (key) DO NOTHING"
)
_CLAIM: Final = (
    "UPDATE job SET lease = :lease, leased_until = {now} + :lease_ms, tries = tries + 1 WHERE id = "
    f"(SELECT id FROM job WHERE {_FREE} AND kind IN ({{kinds}}) ORDER BY due_at, id LIMIT 1 {{skip}}) "
    "RETURNING id, kind, subject, tries, lease"
)
_LOOK: Final = (
    f"SELECT sum(CASE WHEN {_FREE} THEN 1 ELSE 0 END) AS due, sum(CASE WHEN parked_at IS NULL "
    "AND due_at <= {now} THEN 1 ELSE 0 END) AS waiting, "
    "sum(CASE WHEN parked_at IS NULL THEN 0 ELSE 1 END) AS parked FROM job"
)


def put_job(
    connection: Connection, kind: str, subject: int | None = None, *, key: str | None = None, in_ms: int = 0
) -> None:
    """Writes down that something is to be done, in so many ms. One with the same `key` is enough."""
    values = {"id": new_id(), "kind": kind, "subject": subject, "key": key, "in_ms": in_ms}
    connection.execute(_text(connection, _PUT), values)


def claim_job(connection: Connection, kinds: Collection[str], lease_ms: int) -> Job | None:
    """Takes the job of these kinds that is due longest, for so many ms; None where nobody's is due."""
    if not kinds:
        return None
    skip = "FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    names = ", ".join(f"'{kind}'" for kind in sorted(kinds))  # the code's own words
    query = _text(connection, _CLAIM, kinds=names, skip=skip)
    row = connection.execute(query, {"lease": new_id(), "lease_ms": lease_ms}).first()
    return None if row is None else Job(*row)


def renew_lease(connection: Connection, job: Job, lease_ms: int) -> bool:
    """Keeps a job for so many ms from now; False where it is somebody else's by now, or done."""
    return _set(connection, job, "leased_until = {now} + :lease_ms", lease_ms=lease_ms)


def finish_job(connection: Connection, job: Job) -> bool:
    """It is done; False where it was somebody else's by now."""
    mine = {"id": job.id, "lease": job.lease}
    return bool(connection.execute(sa.text("DELETE FROM job WHERE id = :id AND lease = :lease"), mine).rowcount)


def repeat_job(connection: Connection, job: Job, in_ms: int) -> bool:
    """It is done for now, and due again in so many ms."""
    values = "due_at = {now} + :in_ms, lease = NULL, leased_until = NULL, tries = 0, error = NULL"
    return _set(connection, job, values, in_ms=in_ms)


def fail_job(connection: Connection, job: Job, error: str, in_ms: int | None) -> bool:
    """It went wrong, in a way of this class; due again in so many ms, or parked (None)."""
    if in_ms is None:
        return _set(
            connection, job, "parked_at = {now}, lease = NULL, leased_until = NULL, error = :error", error=error
        )
    values = "due_at = {now} + :in_ms, lease = NULL, leased_until = NULL, error = :error"
    return _set(connection, job, values, in_ms=in_ms, error=error)


def hand_back(connection: Connection, job: Job) -> bool:
    """Whoever did it stops: it is anybody's at once, and this try counts for nothing."""
    return _set(connection, job, "lease = NULL, leased_until = NULL, tries = tries - 1")


def unpark(connection: Connection) -> int:
    """Lets every parked job be tried again; how many."""
    again = "UPDATE job SET parked_at = NULL, tries = 0, due_at = {now} WHERE parked_at IS NOT NULL"
    return connection.execute(_text(connection, again)).rowcount


def read_backlog(connection: Connection) -> Backlog:
    row = connection.execute(_text(connection, _LOOK)).one()
    return Backlog(bool(row.due), int(row.waiting or 0), int(row.parked or 0))


def _set(connection: Connection, job: Job, values: str, **given: object) -> bool:
    query = _text(connection, f"UPDATE job SET {values} WHERE id = :id AND lease = :lease")
    return bool(connection.execute(query, {"id": job.id, "lease": job.lease, **given}).rowcount)


def _text(connection: Connection, sql: str, **parts: str) -> sa.TextClause:
    return sa.text(sql.format(now=CLOCK_MS[connection.dialect.name], **parts))
