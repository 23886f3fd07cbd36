"""The checker finds what is wrong, and nothing in what is right."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.faults.checker import delays, unjudged, violations
from tests.faults.history import (
    Changed,
    Closed,
    Deleted,
    Denied,
    Event,
    Heard,
    History,
    Read,
    Removal,
    Revoked,
    Row,
    Sent,
    Stall,
    Stood,
    Trouble,
    Unread,
    Welcomed,
)

ROOM = 7


def _row(number: int, /, **more: object) -> Row:
    row = Row(ROOM, number, "message", "ana", 1_000 + number, f"ana-{number}", f"text {number}")
    return replace(row, **more)  # type: ignore[arg-type]  # as the tests below name them


def _sent(number: int, /, **more: object) -> Sent:
    words = (f"text {number}",)
    sent = Sent("ana", ROOM, f"ana-{number}", words, began_s=float(number), seq=number, acked_s=float(number))
    return replace(sent, **more)  # type: ignore[arg-type]  # as the tests below name them


def _heard(number: int, /, **more: object) -> Heard:
    heard = Heard(number + 0.1, ROOM, number, "message", f"ana-{number}", f"text {number}")
    return replace(heard, **more)  # type: ignore[arg-type]  # as the tests below name them


def _stood(at_s: float, after: int | None, head: int, *, first: int = 1, is_reset: bool = False) -> Stood:
    return Stood(at_s, ROOM, after, head, first, is_reset)


def _removal(from_s: float, until_s: float) -> Removal:
    return Removal("ben", ROOM, from_s - 0.1, from_s, until_s, until_s + 0.1)


OPENED = Welcomed(0.0, 1)
START = _stood(0.0, None, 0)
AGAIN = (Closed(3.5), Welcomed(4.0, 1))
ROWS = [_row(seq) for seq in (1, 2, 3)]
SENT = [_sent(seq) for seq in (1, 2, 3)]
HEARD: list[Event] = [OPENED, START, *(_heard(seq) for seq in (1, 2, 3))]
RIGHT = History(
    events={"ben": HEARD},
    sent=SENT,
    rows=ROWS,
    heads={ROOM: 3},
    ends={"ben": [ROOM]},
    firsts={ROOM: 1},
    last_reads=[Read("ben", ROOM, 1, 9.0)],
    unread=[Unread("ben", ROOM, 1, 1, 2)],
)
GONE = _stood(5.9, 0, 3)  # of a right that is lost at 6


def _ben(*events: Event, **more: object) -> History:
    return replace(RIGHT, events={"ben": [OPENED, START, *events]}, **more)  # type: ignore[arg-type]  # as the tests name them


def _alone(*events: Event, **more: object) -> History:
    """Of `ben`, who does not follow to the end."""
    return _ben(*events, ends={}, unread=[], **more)


def _edited(*events: Event) -> History:
    """The second message was edited by the fourth entry."""
    return _alone(
        *events,
        sent=[SENT[0], _sent(2, texts=("text 2", "edited")), SENT[2]],
        rows=[ROWS[0], _row(2, text="edited"), ROWS[2], _row(4, kind="edit", nonce=None, text=None, target=2)],
        heads={ROOM: 4},
    )


def _deleted(*events: Event) -> History:
    """The second message was deleted by the fourth entry."""
    return _alone(
        *events,
        rows=[
            ROWS[0], _row(2, text=None, is_deleted=True), ROWS[2],
            _row(4, kind="delete", nonce=None, text=None, target=2),
        ],
        heads={ROOM: 4},
    )  # fmt: skip


RIGHTS: dict[str, History] = {
    "all is heard live": RIGHT,
    "the connection is lost": _ben(_heard(1), Closed(1.5), Welcomed(1.6, 1), _stood(1.7, 1, 3), _heard(2), _heard(3)),
    "it is too far behind": _alone(_heard(1), *AGAIN, _stood(9.0, 1, 2_000, is_reset=True)),
    "it joined late": _ben(_heard(1), *AGAIN, _stood(9.0, 1, 3, first=3), _heard(3), firsts={}),
    "a message was sent again, refused, and stored by its first sending": replace(
        RIGHT, sent=[*SENT[:2], _sent(3, seq=None, refused="not_found", was_sent_again=True)],
    ),
    "it is removed and told so": _alone(
        _heard(1), Revoked(1.5, ROOM), removals=[_removal(1.0, 9.0)],
    ),
    "it is removed while its connection is lost, and refused": _alone(
        _heard(1), Closed(3.0), Welcomed(5.0, 1), Denied(5.1, ROOM, 5.0), removals=[_removal(1.0, 9.0)],
    ),
    "it is removed while its connection is lost, and let in again": _alone(
        _heard(1), Closed(3.0), Welcomed(9.5, 1), _stood(9.5, 1, 3), _heard(2, at_s=9.6), _heard(3, at_s=9.6),
        removals=[_removal(1.0, 9.0)],
    ),
    "it is told late, of a node that had neither SQL nor the bus": _alone(
        _heard(1), Revoked(5.0, ROOM), removals=[_removal(1.0, 9.0)],
        troubles=[Trouble("PostgreSQL", 1.0, 4.5), Trouble("Redis", 0.5, 4.0)],
    ),
    "it is told late, of a node that slept": _alone(
        _heard(1), Revoked(5.0, ROOM), removals=[_removal(1.0, 9.0)], troubles=[Trouble("asleep", 0.5, 4.0)],
    ),
    "it is told late, as far as the harness, which was late, can tell": _alone(
        _heard(1), Revoked(3.0, ROOM), removals=[_removal(1.0, 9.0)], stalls=[Stall(2.0, 3.0)],
    ),
    "it is refused while it may not read, and then not": _alone(
        Revoked(6.1, ROOM), Denied(7.0, ROOM, 6.9), Denied(9.2, ROOM, 9.05), _stood(9.5, None, 3),
        removals=[_removal(6.0, 9.0)],
    ),
    "a node that was killed took along what was read in its last second": replace(
        RIGHT, reads=[Read("ben", ROOM, 3, 5.0)], stood=[Unread("ben", ROOM, 1, 0, 3)],
        troubles=[Trouble("nodes", 5.5, 7.0, kills=True)],
    ),
    "what was read waited for the database, and the node was killed": replace(
        RIGHT, reads=[Read("ben", ROOM, 3, 11.0)], stood=[Unread("ben", ROOM, 1, 0, 3)],
        troubles=[Trouble("PostgreSQL", 10.0, 30.0), Trouble("nodes", 25.0, 28.0, kills=True)],
    ),
    "Redis is gone, and an entry 2 s behind": _ben(
        _heard(1), _heard(2), _heard(3, at_s=5.5), troubles=[Trouble("Redis", 2.0, 6.0)],
    ),
    "a node is gone, and an entry late": _ben(
        _heard(1), _heard(2), _heard(3, at_s=9.5), troubles=[Trouble("nodes", 2.0, 6.0, kills=True)],
    ),
    "a replay has the words that an edit brought, or, not knowing of it yet, those before it": _edited(
        *AGAIN, _stood(5.0, 0, 4), _heard(1), _heard(2, text="edited"), _heard(3),
        Heard(5.1, ROOM, 4, "edit", None, "edited", target=2),
        Closed(6.0), Welcomed(6.1, 1),
    ),
    "a replay does not know of an edit yet": _edited(
        *AGAIN, _stood(5.0, 0, 3), _heard(1), _heard(2), _heard(3),
    ),
    "a replay does not know of a deletion yet": _deleted(*AGAIN, _stood(5.0, 0, 3), _heard(1), _heard(2), _heard(3)),
}  # fmt: skip


@pytest.mark.parametrize("history", RIGHTS.values(), ids=RIGHTS.keys())
def test_a_right_history_has_no_violation(history: History) -> None:
    assert violations(history) == []


WRONG: dict[str, tuple[History, str]] = {
    "a message that was acknowledged is lost": (replace(RIGHT, rows=ROWS[:2], events={}, ends={}, heads={}), "lost"),
    "a message is stored elsewhere than was said": (
        replace(RIGHT, sent=[_sent(1), _sent(2, seq=3), _sent(3, seq=2)]), "lost",
    ),
    "a message is stored twice": (
        replace(RIGHT, rows=[*ROWS, _row(4, nonce="ana-3")], ends={}, unread=[]), "is stored 2 times",
    ),
    "a message is stored otherwise than it was sent": (
        replace(RIGHT, rows=[*ROWS[:2], _row(3, text="other words")]), "is not what ana wrote",
    ),
    "numbers have a gap": (replace(RIGHT, rows=[ROWS[0], ROWS[2]], sent=[], events={}, ends={}, unread=[]), "1, 2, 3"),
    "time runs back": (replace(RIGHT, rows=[*ROWS[:2], _row(3, at=5)]), "time runs back"),
    "an edit that was acknowledged is not stored": (
        replace(RIGHT, sent=[*SENT[:2], _sent(3, texts=("text 3", "edited"), now=("edited",))]), "not what ana wrote",
    ),
    "somebody never heard what became of a message": (
        replace(RIGHT, sent=[*SENT, _sent(4, seq=None)]), "never heard",
    ),
    "a message that was refused is stored": (
        replace(RIGHT, sent=[*SENT[:2], _sent(3, seq=None, refused="not_found")]), "was refused",
    ),
    "an entry is left out": (_ben(_heard(1), _heard(3)), "a gap"),
    "an entry comes twice": (_ben(_heard(1), _heard(2), _heard(2), _heard(3)), "again or late"),
    "entries come in another order": (_ben(_heard(2), _heard(1), _heard(3)), "a gap"),
    "an entry comes again after a loss of the connection": (
        _ben(_heard(1), _heard(2), *AGAIN, _stood(5.0, 2, 3), _heard(2), _heard(3)), "again or late",
    ),
    "an entry is left out after a loss of the connection": (
        _ben(_heard(1), *AGAIN, _stood(5.0, 1, 3), _heard(3)), "a gap",
    ),
    "a subscription begins anew for no reason": (
        _ben(_heard(1), *AGAIN, _stood(5.0, 1, 3, is_reset=True)), "began anew",
    ),
    "the last entry never comes": (_ben(_heard(1), _heard(2)), "heard up to 2"),
    "an entry comes that nobody subscribed to": (
        replace(RIGHT, events={"ben": [_heard(1)]}, ends={}), "not subscribed",
    ),
    "an entry comes that is not stored": (_ben(*HEARD[2:], _heard(4)), "not stored"),
    "an entry comes with words that nobody wrote": (_ben(_heard(1), _heard(2), _heard(3, text="hm")), "nobody wrote"),
    "an entry comes as another": (_ben(_heard(1), _heard(2, kind="edit"), _heard(3)), "another entry"),
    "something comes after it was revoked": (
        replace(_ben(_heard(1), Revoked(1.5, ROOM), _heard(2)), ends={}), "not subscribed",
    ),
    "something sent a second after a removal comes": (
        replace(_ben(*HEARD[2:]), removals=[_removal(1.5, 9.0)]), "after the right to it was lost",
    ),
    "something comes long after a removal": (
        replace(
            _ben(_heard(1, at_s=5.0)), sent=[_sent(1, began_s=0.5)], ends={}, removals=[_removal(1.0, 9.0)],
        ),
        "after the right to it was lost",
    ),
    "a deleted message comes again": (
        replace(
            _ben(_heard(1), _heard(2), _heard(3, at_s=20.0)), deleted=[Deleted(5.0, ROOM, 3)], unread=[],
            rows=[*ROWS[:2], _row(3, text=None, is_deleted=True)],
        ),
        "after it was deleted",
    ),
    "a deleted message is still stored": (replace(RIGHT, deleted=[Deleted(5.0, ROOM, 3)]), "is still stored"),
    "an edit comes with another message's words": (
        replace(
            _ben(*HEARD[2:], Heard(4.1, ROOM, 4, "edit", None, "text 1", target=3)), ends={}, unread=[],
            rows=[*ROWS, _row(4, kind="edit", nonce=None, text=None, target=3)],
        ),
        "nobody wrote there",
    ),
    "an edit brings back what was deleted": (
        replace(
            _ben(*HEARD[2:], Heard(20.0, ROOM, 4, "edit", None, "text 3", target=3)), ends={}, unread=[],
            rows=[
                *ROWS[:2], _row(3, text=None, is_deleted=True),
                _row(4, kind="edit", nonce=None, text=None, target=3),
            ],
            deleted=[Deleted(5.0, ROOM, 3)],
        ),
        "after it was deleted",
    ),
    "a message comes without its words": (_ben(_heard(1), _heard(2), _heard(3, text=None)), "without its words"),
    "a subscription goes on from where nobody was": (
        _alone(_heard(1), *AGAIN, _stood(5.0, 2, 3), _heard(3)), "had was 1",
    ),
    "an edit comes as one of another message": (
        _edited(*HEARD[2:], Heard(4.1, ROOM, 4, "edit", None, "edited", target=1)), "as a change of 1",
    ),
    "a replay has the words before an edit that it knows of": (
        _edited(*AGAIN, _stood(5.0, 0, 4), _heard(1), _heard(2)), "edited before 4",
    ),
    "a replay has the words of a message whose deletion it knows of": (
        _deleted(*AGAIN, _stood(5.0, 0, 4), _heard(1), _heard(2)), "deleted before 4",
    ),
    "a change that was acknowledged is lost": (replace(RIGHT, changed=[Changed(ROOM, 4, 3.5)]), "4 and is lost"),
    "a channel's head is not its last entry": (replace(RIGHT, heads={ROOM: 4}), "its last entry 3"),
    "a channel has a head and no entry": (replace(RIGHT, heads={ROOM: 3, 8: 2}), "it has no entries"),
    "a node that is behind begins anew": (
        _alone(*HEARD[2:], *AGAIN, _stood(5.0, 3, 2, is_reset=True)), "began anew at 2, so near to 3",
    ),
    "a node that is behind begins anew and tells what was heard already": (
        _alone(*HEARD[2:], *AGAIN, _stood(5.0, 3, 2, is_reset=True), _heard(3)), "stands at 2, had was 3",
    ),
    "a node that is behind agrees to a place that it does not know": (
        _alone(*HEARD[2:], *AGAIN, _stood(5.0, 3, 2)), "stands at 2, had was 3",
    ),
    "the history is replaced": (_ben(*HEARD[2:], Closed(4.0), Welcomed(5.0, 2)), "log 1 became 2"),
    "a place is given up without a reason": (
        _alone(_heard(1), *AGAIN, _stood(5.0, None, 3)), "went on from None, had was 1",
    ),
    "something comes on a new connection before it is subscribed to": (
        _alone(_heard(1), Closed(1.5), Welcomed(1.6, 1), _heard(2)), "not subscribed to",
    ),
    "a room begins elsewhere": (_alone(*HEARD[2:], *AGAIN, _stood(5.0, 3, 3, first=2)), "said to begin at 2"),
    "somebody is told another beginning in the end": (
        replace(RIGHT, unread=[Unread("ben", ROOM, 2, 1, 2)]), "said to begin at 2",
    ),
    "a change begun a second after a removal comes": (
        _alone(
            *HEARD[2:], Heard(9.6, ROOM, 4, "edit", None, "text 3", target=3),
            rows=[*ROWS, _row(4, kind="edit", nonce=None, text=None, target=3)], heads={ROOM: 4},
            changed=[Changed(ROOM, 4, 9.5)], removals=[_removal(8.4, 10.0)],
        ),
        "after the right to it was lost",
    ),
    "a removal is never told": (_alone(GONE, removals=[_removal(6.0, 9.0)]), "was not told in time"),
    "a removal is told late": (
        _alone(GONE, Revoked(8.0, ROOM), removals=[_removal(6.0, 9.0)]), "told 2.00 s late",
    ),
    "a removal is told late, which another moment's stall does not excuse": (
        _alone(GONE, Revoked(8.0, ROOM), removals=[_removal(6.0, 9.0)], stalls=[Stall(0.0, 1.5)]), "told 2.00 s late",
    ),
    "a removal is told late, with the bus gone and SQL there": (
        _alone(GONE, Revoked(8.0, ROOM), removals=[_removal(6.0, 9.0)], troubles=[Trouble("Redis", 5.0, 8.5)]),
        "told 2.00 s late",
    ),
    "a removal is not told while other things come, and then the connection is lost": (
        _alone(
            GONE, Stood(5.9, 8, None, 0, 1, is_reset=False), Heard(8.1, 8, 1, "alert"), Closed(8.5),
            rows=[*ROWS, _row(1, channel=8, kind="alert", nonce=None)], removals=[_removal(6.0, 9.5)],
        ),
        "was not told in time",
    ),
    "a removal is not told, and somebody goes on once they are let in": (
        _alone(GONE, _stood(9.5, None, 3), removals=[_removal(6.0, 9.0)]), "was not told in time",
    ),
    "somebody who was removed may subscribe again": (
        _alone(GONE, Closed(6.5), Welcomed(8.0, 1), _stood(8.1, 3, 3), removals=[_removal(6.0, 9.0)]),
        "was subscribed to 2.10 s after",
    ),
    "somebody is refused what they may read": (_alone(*HEARD[2:], Denied(4.0, ROOM, 3.9)), "was refused at 4.00 s"),
    "somebody is refused what they were let into": (
        _alone(GONE, Revoked(6.5, ROOM), Denied(9.3, ROOM, 9.2), removals=[_removal(6.0, 9.0)]), "refused at 9.30 s",
    ),
    "somebody loses what they may read": (_alone(*HEARD[2:], Revoked(4.0, ROOM)), "taken away at 4.00 s"),
    "an old removal takes away what somebody was let into": (
        _alone(GONE, Revoked(6.5, ROOM), _stood(9.5, None, 3), Revoked(11.0, ROOM), removals=[_removal(6.0, 9.0)]),
        "taken away at 11.00 s",
    ),
    "without Redis an entry is 4 s behind": (
        _ben(_heard(1), _heard(2), _heard(3, at_s=7.0), troubles=[Trouble("Redis", 2.0, 8.0)]), "4.00 s after",
    ),
    "a read position is lost though nothing was killed": (
        replace(RIGHT, reads=[Read("ben", ROOM, 3, 5.0)], stood=[Unread("ben", ROOM, 1, 0, 3)]), "3 was acknowledged",
    ),
    "a read position is lost that a node had long before it was killed": (
        replace(
            RIGHT, reads=[Read("ben", ROOM, 3, 5.0)], stood=[Unread("ben", ROOM, 1, 0, 3)],
            troubles=[Trouble("nodes", 25.0, 27.0, kills=True)],
        ),
        "3 was acknowledged",
    ),
    "a read position is lost by a node that stopped in good order": (
        replace(
            RIGHT, reads=[Read("ben", ROOM, 3, 5.0)], stood=[Unread("ben", ROOM, 1, 0, 3)],
            troubles=[Trouble("nodes", 5.5, 7.0)],
        ),
        "3 was acknowledged",
    ),
    "somebody stands elsewhere than where they read last": (
        replace(RIGHT, unread=[Unread("ben", ROOM, 1, 2, 1)]), "up to 2 is told, 1 was read last",
    ),
    "somebody is not told what is unread": (replace(RIGHT, unread=[]), "nothing was told"),
    "an unread count is wrong": (replace(RIGHT, unread=[Unread("ben", ROOM, 1, 1, 3)]), "3 unread were told, 2 are"),
}  # fmt: skip


@pytest.mark.parametrize(("history", "found"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_history_is_found_out(history: History, found: str) -> None:
    lines: Sequence[str] = violations(history)
    assert any(found in line for line in lines), lines


def test_a_removal_is_not_judged_for_time_where_the_harness_itself_was_too_late() -> None:
    late = _alone(GONE, Revoked(10.0, ROOM), removals=[_removal(6.0, 12.0)], stalls=[Stall(7.0, 8.0), Stall(8.1, 9.0)])
    assert violations(late) == []
    assert len(unjudged(late)) == 1
    assert "may be late by 2.65 s" in unjudged(late)[0]
    assert unjudged(replace(late, stalls=[Stall(7.0, 8.0), Stall(18.1, 19.0)])) == []


def test_how_long_deliveries_took_without_redis_is_told_of_those_alone_that_nothing_else_held_up() -> None:
    redis = Trouble("Redis", 0.5, 3.5)
    heard = _ben(_heard(1), _heard(2), _heard(3, at_s=4.5), troubles=[redis])
    assert [round(delay_s, 2) for _, _, delay_s in delays(heard, frozenset({"Redis"}))] == [0.1, 0.1, 1.5]
    replayed = _ben(Closed(0.2), Welcomed(3.0, 1), _stood(3.1, 0, 3), *(_heard(n, at_s=3.2) for n in (1, 2, 3)))
    for other in (
        replace(heard, troubles=[redis, Trouble("members", 0.0, 0.2)]),
        replace(heard, troubles=[]),
        replayed,
    ):
        assert list(delays(other, frozenset({"Redis"}))) == []
