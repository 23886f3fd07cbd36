"""Reports: made by members, decided by moderators with the same verbs and rights as by hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from hubchat import access
from hubchat.actions.members import ban_here, enter_for, remove_here
from hubchat.actions.offices import disable_here, require_office
from hubchat.channels.items import Delete, Stored
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.node import Node
from hubchat.storage import audit, members, reports
from hubchat.storage.channels import ACCESS, read_channel
from hubchat.storage.database import Connection
from hubchat.storage.members import TOLD
from hubchat.storage.reports import Decision, Line, NewReport, Report, Seer, Subject
from hubchat.storage.sessions import Caller
from hubchat.storage.standings import Seat, read_seats

Why: TypeAlias = Literal["spam", "abuse", "harmful_advice", "privacy", "impersonation", "danger", "other"]

TEXT_CHARS: Final = 1_000
WORD_CHARS: Final = 500
HOURLY: Final = 10  # reports of one account an hour: who reports more reports the group, or floods its moderators
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True)
class Reported:
    """What is reported: a message (`channel` and `seq`), a person (by id), or a channel."""

    reason: Why
    channel: int | None = None
    seq: int | None = None
    person: int | None = None
    text: str | None = None


async def report(node: Node, caller: Caller, what: Reported) -> tuple[int, bool]:
    """Reports something that the caller may read; the id, and whether it is new. Who decides is told.

    The same thing, reported again before it was decided, is the same report. Raises `channel_unknown`,
    `entry_unknown`, `person_unknown`, `not_allowed` (oneself), `too_many_reports`, or names a wrong field.
    """
    if (what.channel is None and what.person is None) or (what.seq is not None and what.channel is None):
        raise HubError("fields_invalid", fields={"channel": "what is reported"})
    if what.seq is not None and what.person is not None:
        raise HubError("fields_invalid", fields={"person": "a message has its author"})
    if what.text is not None and len(what.text) > TEXT_CHARS:
        raise HubError("fields_invalid", fields={"text": f"at most {TEXT_CHARS} characters"})
    return await node.log.write(lambda tx: _report(tx, caller, what))


def _report(tx: Transaction, caller: Caller, what: Reported) -> tuple[int, bool]:
    new, lines = _read_reported(tx.connection, caller, what)
    officers = _read_deciders(tx.connection, new)
    told = [one.inbox_id for one in officers if one.account_id not in (caller.account_id, new.subject_id)]
    tx.lock(caller.inbox_id, *told)  # one report of a member's at a time
    if (double := reports.find_double(tx.connection, new)) is not None:
        return double, False
    if reports.count_reports(tx.connection, caller.account_id, tx.now - HOUR_MS) >= HOURLY:
        raise HubError("too_many_reports", facts={"limit": HOURLY}, retry_after_ms=HOUR_MS)
    made = reports.insert_report(tx.connection, new, lines, tx.now)
    for inbox_id in told:
        _tell(tx, inbox_id, "report", new.channel_id, new.seq, report=made)
    return made, True


def _read_reported(connection: Connection, caller: Caller, what: Reported) -> tuple[NewReport, list[Line]]:
    """What is to be kept, of what the caller may read; and whose it is to decide."""
    new = NewReport(caller.account_id, what.reason, (what.text or "").strip() or None, "hub")
    seat = None if what.channel is None else _require_seat(connection, caller, what.channel)
    if seat is not None:
        new = new._replace(channel_id=seat.channel.id)
    if what.person is not None:
        subject = reports.read_subject(connection, what.person)
        if subject is None:
            raise HubError("person_unknown")
        return _about(new, caller, subject), []
    assert seat is not None, "something is reported"
    if what.seq is None:
        return new, []
    if not access.can("read", seat.stand.standing, seat.channel.place):
        raise HubError("channel_unknown")
    first = seat.stand.first(seat.channel)
    lines = reports.read_around(connection, seat.channel.id, what.seq, first) if what.seq >= first else []
    author = next((line.author_id for line in lines if line.seq == what.seq), None)
    if author is None:
        raise HubError("entry_unknown")
    subject = reports.read_subject(connection, author)
    new = new._replace(seq=what.seq, persona_id=author)
    if subject is not None:
        new = _about(new, caller, subject)
    if seat.channel.kind == "group":
        officers = {one.account_id for one in members.read_officers(connection, seat.channel.access_id)}
        is_theirs = bool(officers) and new.subject_id not in officers
        new = new._replace(access_id=seat.channel.access_id, queue="group" if is_theirs else "hub")
    return new, lines


def _about(new: NewReport, caller: Caller, subject: Subject) -> NewReport:
    if subject.account_id == caller.account_id:
        raise HubError("not_allowed", "nobody reports themselves")
    return new._replace(subject_id=subject.account_id, persona_id=subject.persona_id)


def _require_seat(connection: Connection, caller: Caller, channel_id: int) -> Seat:
    """A group that the caller may see, or a conversation that they may read."""
    key = (caller.account_id, channel_id)
    seat = read_seats(connection, [key]).get(key)
    if seat is None or seat.channel.kind not in ("group", "conversation"):
        raise HubError("channel_unknown")
    standing, place = seat.stand.standing, seat.channel.place
    if not access.can("see", standing, place) and not access.can("read", standing, place):
        raise HubError("channel_unknown")
    return seat


def _read_deciders(connection: Connection, new: NewReport) -> list[members.Officer]:
    if new.queue == "group" and new.access_id is not None:
        return members.read_officers(connection, new.access_id)
    return reports.read_moderators(connection)


# ---------------------------------------------------------------- deciding


def seer_of(caller: Caller, now: int) -> Seer:
    """What the caller may see of reports. The rank is theirs at the start of the request."""
    return Seer(caller.account_id, caller.hub_role in access.OFFICES["moderate"], now)


def possible(connection: Connection, caller: Caller, found: Report) -> list[Decision]:
    """How the caller may decide a report: what they could do by hand."""
    can: list[Decision] = ["dismissed"]
    if found.subject_id is not None or (found.channel_id is not None and found.seq is None):
        can.append("warned")
    if found.channel_id is not None and found.seq is not None:
        key = (caller.account_id, found.channel_id)
        seat = read_seats(connection, [key]).get(key)
        if seat is not None:
            can += _possible_there(connection, caller, found, seat)
    if found.subject_id is not None and caller.hub_role in access.OFFICES["administer"]:
        can.append("disabled")
    return can


def _possible_there(connection: Connection, caller: Caller, found: Report, seat: Seat) -> list[Decision]:
    standing, place = seat.stand.standing, seat.channel.place
    can: list[Decision] = ["removed_message"] if access.can("delete_any", standing, place) else []
    subject = None if found.persona_id is None else reports.read_subject(connection, found.persona_id)
    if subject is None or found.access_id is None:
        return can
    target = members.read_candidate(connection, found.access_id, subject.handle)
    if target is None or not access.can_outrank(standing.role, target.role if target.state == "member" else "member"):
        return can
    if target.state == "member" and access.can("remove", standing, place):
        can.append("removed_member")
    if target.state != "banned" and access.can("ban", standing, place):
        can.append("banned")
    return can


async def decide(node: Node, caller: Caller, report_id: int, decision: Decision, word: str) -> None:
    """Decides a report and does what was decided, or nothing of both; both sides are told, with the word.

    Who was reported in vain is not told. Raises `thing_unknown`, `already_decided`, `not_allowed`.
    """
    word = word.strip()
    if not word or len(word) > WORD_CHARS:
        raise HubError("fields_invalid", fields={"reason": f"1 to {WORD_CHARS} characters"})
    await node.log.write(lambda tx: _decide(tx, caller, report_id, decision, word))


def _decide(tx: Transaction, caller: Caller, report_id: int, decision: Decision, word: str) -> None:
    found = _require_report(tx, caller, report_id)
    reporter = reports.read_reporter(tx.connection, found.reporter_id)
    told = _read_warned(tx.connection, found, decision)
    inboxes = [one.inbox_id for one in (reporter, *told) if one is not None]
    carry_out = _lock(tx, caller, found, decision, inboxes)
    found = _require_report(tx, caller, report_id)  # as it stands now that nobody else decides it
    if decision not in possible(tx.connection, caller, found):
        raise HubError("not_allowed")
    carry_out()
    reports.decide_report(tx.connection, report_id, decision, word, caller.account_id, tx.now)
    is_of_hub = caller.hub_role in access.OFFICES["moderate"]
    audit.record(
        tx.connection, tx.now, caller.account_id, f"{'' if is_of_hub else 'group.'}report.{decision}", report_id
    )
    if reporter is not None:
        _tell(
            tx, reporter.inbox_id, "report", found.channel_id, found.seq, report=report_id, decision=decision, word=word
        )
    for one in told:
        _tell(tx, one.inbox_id, "moderation", found.channel_id, found.seq, decision=decision, word=word)


def _lock(
    tx: Transaction, caller: Caller, found: Report, decision: Decision, inboxes: list[int]
) -> Callable[[], object]:
    """Locks what the decision changes, and gives what carries it out."""
    if decision in ("removed_member", "banned") and found.access_id is not None and found.persona_id is not None:
        subject = reports.read_subject(tx.connection, found.persona_id)
        if subject is None:
            raise HubError("person_unknown")
        action: access.Action = "remove" if decision == "removed_member" else "ban"
        here, target = enter_for(tx, caller, found.access_id, subject.handle, action, *inboxes, officers=True)
        return lambda: (remove_here if action == "remove" else ban_here)(here, target)
    if decision == "removed_message" and found.channel_id is not None and found.seq is not None:
        tx.lock(found.channel_id, *inboxes)
        gone = Delete(caller.account_id, caller.persona_id, found.channel_id, _nobody, found.seq)
        return lambda: tx.carry_out(gone)
    if decision == "disabled" and found.persona_id is not None:
        subject = reports.read_subject(tx.connection, found.persona_id)
        tx.lock(*inboxes, ACCESS)
        return lambda: disable_here(tx, caller, subject.handle if subject is not None else "")
    tx.lock(*inboxes)
    return lambda: None


def _require_report(tx: Transaction, caller: Caller, report_id: int) -> Report:
    found = reports.read_report(tx.connection, report_id, seer_of(caller, tx.now))
    if found is None:
        raise HubError("thing_unknown")
    if found.decision is not None:
        raise HubError("already_decided")
    if found.queue == "hub":
        require_office(tx, caller, "moderate")
    return found


def _read_warned(connection: Connection, found: Report, decision: Decision) -> list[Subject]:
    """Who is told of a decision beside the reporter: whom it concerns; of a group its owners and moderators."""
    if decision == "dismissed":
        return []
    if found.persona_id is not None:
        subject = reports.read_subject(connection, found.persona_id)
        return [] if subject is None else [subject]
    channel = None if found.channel_id is None else read_channel(connection, found.channel_id)
    if channel is None or channel.kind != "group":
        return []
    officers = members.read_officers(connection, channel.access_id)[: TOLD - 1]
    return [Subject(one.account_id, one.persona_id, one.inbox_id, "") for one in officers]


def _tell(tx: Transaction, inbox_id: int, reason: str, channel_id: int | None, seq: int | None, **more: Any) -> None:
    """A notice that tells nobody's name."""
    about: Mapping[str, int | None] = {"channel": channel_id, "seq": seq}
    shown = {name: value for name, value in about.items() if value is not None}
    tx.append(inbox_id, "notice", data={"about": shown, "reason": reason, **more})


def _nobody(_result: Stored | HubError) -> None:
    """Whoever asked is told by the transaction."""
