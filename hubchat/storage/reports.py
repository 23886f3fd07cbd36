"""Reports: what somebody found wrong, with the messages as they were, and who may see it."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.database import new_id
from hubchat.storage.members import TOLD, Officer

Queue: TypeAlias = Literal["group", "hub"]
Decision: TypeAlias = Literal["dismissed", "warned", "removed_message", "removed_member", "banned", "disabled"]
State: TypeAlias = Literal["open", "decided"]

PATIENCE_MS: Final = 48 * 3_600_000  # what a group's moderators leave for so long, the hub's may decide
AROUND: Final = 5  # messages that are kept beside the one reported


class NewReport(NamedTuple):
    """What is reported, by which account: a message, a person or a channel. `access_id`: whose moderators decide."""

    reporter_id: int
    reason: str
    text: str | None
    queue: Queue
    subject_id: int | None = None
    persona_id: int | None = None
    channel_id: int | None = None
    access_id: int | None = None
    seq: int | None = None


class Report(NamedTuple):
    """A report as it is kept. Accounts stay inside; `persona_id` is who it is about."""

    id: int
    reporter_id: int
    subject_id: int | None
    persona_id: int | None
    channel_id: int | None
    access_id: int | None
    seq: int | None
    queue: Queue
    reason: str
    text: str | None
    at: int
    decision: Decision | None
    word: str | None
    decided_by: int | None
    decided_at: int | None


class Line(NamedTuple):
    """A message as it was when it, or one beside it, was reported."""

    seq: int
    author_id: int | None
    at: int
    text: str | None


class Seer(NamedTuple):
    """Who wants to see reports: an account, and whether it moderates the hub."""

    account_id: int
    is_of_hub: bool
    now: int


_COLUMNS: Final = ", ".join(f"report.{name}" for name in Report._fields)
_SEEN: Final = (
    "(report.subject_id IS NULL OR report.subject_id <> :account_id) AND ("
    "(report.queue = 'group' AND EXISTS (SELECT 1 FROM membership WHERE membership.access_id = report.access_id "
    "AND membership.account_id = :account_id AND membership.state = 'member' AND membership.role <> 'member')) "
    "OR (:is_of_hub AND (report.queue = 'hub' "
    f"OR coalesce(report.decided_at, CAST(:now AS bigint)) >= report.at + {PATIENCE_MS})))"
)
"""A group's owners and moderators see what is in it, unless it is about one of them; the hub's moderators everything
else, and what a group left for too long. Nobody sees what is about themselves."""

_ONE: Final = sa.text(f"SELECT {_COLUMNS} FROM report WHERE report.id = :id AND {_SEEN}")
_PAGE: Final = f"SELECT {_COLUMNS} FROM report WHERE {{state}} AND {_SEEN} AND {{place}} LIMIT :limit"
_OPEN: Final = sa.text(
    _PAGE.format(
        state="report.decision IS NULL",
        place="(report.at, report.id) > (:at, :id) ORDER BY report.at, report.id",
    )
)
_DECIDED: Final = sa.text(
    _PAGE.format(
        state="report.decision IS NOT NULL",
        place="(report.decided_at, report.id) < (:at, :id) ORDER BY report.decided_at DESC, report.id DESC",
    )
)
_DOUBLE: Final = sa.text(
    "SELECT report.id FROM report WHERE reporter_id = :reporter_id AND decision IS NULL "
    "AND coalesce(channel_id, 0) = :channel_id AND coalesce(seq, 0) = :seq AND coalesce(persona_id, 0) = :persona_id"
)
_LINES: Final = Bulk(
    "INSERT INTO report_line (report_id, seq, author_id, at, text) "
    "SELECT rows_.report_id, rows_.seq, rows_.author_id, rows_.at, rows_.text FROM {rows}",
    report_id="bigint",
    seq="bigint",
    author_id="bigint",
    at="bigint",
    text="text",
)
_BESIDE: Final = (
    "SELECT entry.seq, entry.author_id, entry.at, entry.text FROM entry WHERE entry.channel_id = :id "
    "AND entry.seq {side} AND entry.kind = 'message' AND entry.deleted_at IS NULL ORDER BY entry.seq {order} "
    "LIMIT :limit"
)
_BEFORE: Final = sa.text(_BESIDE.format(side="BETWEEN :first AND :seq", order="DESC"))
_AFTER: Final = sa.text(_BESIDE.format(side="> :seq", order="ASC"))
_SUBJECT: Final = "SELECT persona.account_id, persona.id, persona.inbox_id, persona.handle FROM persona WHERE {which}"
_BY_PERSONA: Final = sa.text(_SUBJECT.format(which="persona.id = :id AND persona.gone_at IS NULL"))
_BY_ACCOUNT: Final = sa.text(_SUBJECT.format(which="persona.account_id = :id ORDER BY persona.created_at LIMIT 1"))
_REPORTERS: Final = Bulk(
    "SELECT persona.account_id, persona.id FROM {rows} JOIN persona ON persona.account_id = rows_.id "
    "ORDER BY persona.created_at DESC",
    id="bigint",
)
_OFFICERS: Final = sa.text(
    "SELECT account.id, persona.id, persona.inbox_id FROM account "
    "JOIN persona ON persona.account_id = account.id AND persona.gone_at IS NULL "
    "WHERE account.state = 'active' AND account.role IN ('moderator', 'admin') "
    "ORDER BY account.created_at, account.id LIMIT :limit"
)


class Subject(NamedTuple):
    """Whom a report is about, or who made it: where they are told."""

    account_id: int
    persona_id: int
    inbox_id: int
    handle: str


def read_subject(connection: sa.Connection, persona_id: int) -> Subject | None:
    """Whoever is behind this persona."""
    row = connection.execute(_BY_PERSONA, {"id": persona_id}).first()
    return None if row is None else Subject(*row)


def read_reporter(connection: sa.Connection, account_id: int) -> Subject | None:
    row = connection.execute(_BY_ACCOUNT, {"id": account_id}).first()
    return None if row is None else Subject(*row)


def read_reporters(connection: sa.Connection, account_ids: Iterable[int]) -> dict[int, int]:
    """Account → the persona that it is seen as."""
    rows = [(id,) for id in set(account_ids)]
    return {row.account_id: row.id for row in _REPORTERS.run(connection, rows)} if rows else {}


def read_moderators(connection: sa.Connection) -> list[Officer]:
    """The hub's moderators and administrators, at most as many as are told of one thing."""
    return [Officer(*row) for row in connection.execute(_OFFICERS, {"limit": TOLD})]


def read_around(connection: sa.Connection, channel_id: int, seq: int, first: int) -> list[Line]:
    """The message `seq` and `AROUND` beside it, from `first` on: three before and two after, or what there is."""
    keys = {"id": channel_id, "seq": seq}
    before = [Line(*row) for row in connection.execute(_BEFORE, {**keys, "first": first, "limit": AROUND + 1})]
    after = [Line(*row) for row in connection.execute(_AFTER, {**keys, "limit": AROUND})]
    if not before or before[0].seq != seq:
        return []
    older = before[1:]
    newer = after[: max(AROUND // 2, AROUND - len(older))]
    return [*older[: AROUND - len(newer)][::-1], before[0], *newer]


def find_double(connection: sa.Connection, new: NewReport) -> int | None:
    """The open report that this reporter made of the same thing."""
    keys = {
        "reporter_id": new.reporter_id, "channel_id": new.channel_id or 0, "seq": new.seq or 0,
        "persona_id": new.persona_id or 0,
    }  # fmt: skip
    found: int | None = connection.execute(_DOUBLE, keys).scalar()
    return found


def count_reports(connection: sa.Connection, reporter_id: int, since: int) -> int:
    """How many this account made since then."""
    query = sa.text("SELECT count(*) FROM report WHERE reporter_id = :id AND at > :since")
    return int(connection.execute(query, {"id": reporter_id, "since": since}).scalar_one())


def insert_report(connection: sa.Connection, new: NewReport, lines: Sequence[Line], now: int) -> int:
    """Keeps a report with its messages, and gives its id."""
    report_id = new_id()
    names = ", ".join(new._fields)
    values = ", ".join(f":{name}" for name in new._fields)
    connection.execute(
        sa.text(f"INSERT INTO report (id, at, {names}) VALUES (:id, :now, {values})"),
        {"id": report_id, "now": now, **new._asdict()},
    )
    if lines:
        _LINES.run(connection, [(report_id, *line) for line in lines])
    return report_id


def read_report(connection: sa.Connection, report_id: int, seer: Seer) -> Report | None:
    """A report, if this account may see it."""
    row = connection.execute(_ONE, {"id": report_id, **seer._asdict()}).first()
    return None if row is None else Report(*row)


def read_queue(
    connection: sa.Connection, seer: Seer, state: State, *, limit: int, after: tuple[int, int] | None
) -> list[Report]:
    """What this account may see: open reports, the oldest first; or decided ones, the newest first."""
    at, report_id = after or ((-1, 0) if state == "open" else (2**53, 0))
    query = _OPEN if state == "open" else _DECIDED
    rows = connection.execute(query, {**seer._asdict(), "limit": limit, "at": at, "id": report_id})
    return [Report(*row) for row in rows]


def read_lines(connection: sa.Connection, report_id: int) -> list[Line]:
    query = "SELECT seq, author_id, at, text FROM report_line WHERE report_id = :id ORDER BY seq"
    return [Line(*row) for row in connection.execute(sa.text(query), {"id": report_id})]


def decide_report(connection: sa.Connection, report_id: int, decision: Decision, word: str, by: int, now: int) -> None:
    connection.execute(
        sa.text(
            "UPDATE report SET decision = :decision, word = :word, decided_by = :by, decided_at = :now WHERE id = :id"
        ),
        {"id": report_id, "decision": decision, "word": word, "by": by, "now": now},
    )


def forget_decided(connection: sa.Connection, before: int) -> None:
    """Deletes what was decided before then, with its messages."""
    connection.execute(sa.text("DELETE FROM report WHERE decided_at < :before"), {"before": before})


def erase_reports(connection: sa.Connection, account_id: int) -> None:
    """Deletes what an account reported and what was reported of it, and its words in other reports."""
    keys: dict[str, Any] = {"id": account_id}
    connection.execute(sa.text("DELETE FROM report WHERE reporter_id = :id OR subject_id = :id"), keys)
    connection.execute(
        sa.text(
            "UPDATE report_line SET text = NULL WHERE author_id IN "
            "(SELECT persona.id FROM persona WHERE persona.account_id = :id)"
        ),
        keys,
    )
