"""The checker finds what is wrong, and nothing in what is right."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.faults.history import Deleted, Event, Heard, History, Removal, Revoked, Row, Sent, Stood, Unread, violations

ROOM = 7


def _row(number: int, /, **more: object) -> Row:
    row = Row(ROOM, number, "message", "ana", 1_000 + number, f"ana-{number}", f"text {number}")
    return replace(row, **more)  # type: ignore[arg-type]  # as the tests below name them


def _sent(number: int, /, **more: object) -> Sent:
    sent = Sent("ana", ROOM, f"ana-{number}", (f"text {number}",), began_s=float(number), seq=number)
    return replace(sent, **more)  # type: ignore[arg-type]  # as the tests below name them


def _heard(number: int, /, **more: object) -> Heard:
    heard = Heard(number + 0.1, ROOM, number, "message", f"ana-{number}", f"text {number}")
    return replace(heard, **more)  # type: ignore[arg-type]  # as the tests below name them


START = Stood(0.0, ROOM, None, 0, 1, is_reset=False)
ROWS = [_row(seq) for seq in (1, 2, 3)]
SENT = [_sent(seq) for seq in (1, 2, 3)]
HEARD: list[Event] = [START, *(_heard(seq) for seq in (1, 2, 3))]
RIGHT = History(
    events={"ben": HEARD}, sent=SENT, rows=ROWS, ends={"ben": [ROOM]}, unread=[Unread("ben", ROOM, 1, 1, 2)]
)


def _ben(*events: Event) -> History:
    return replace(RIGHT, events={"ben": [START, *events]})


def test_a_right_history_has_no_violation() -> None:
    assert violations(RIGHT) == []


def test_a_right_history_may_hold_losses_of_the_connection_a_new_beginning_and_a_removal() -> None:
    anew = Stood(9.0, ROOM, 1, 3, 1, is_reset=False)
    far = Stood(9.0, ROOM, 1, 2_000, 1, is_reset=True)
    joined_late = Stood(9.0, ROOM, 1, 3, 3, is_reset=False)
    assert violations(_ben(_heard(1), anew, _heard(2), _heard(3))) == []
    assert violations(replace(_ben(_heard(1), far), ends={})) == []
    assert violations(_ben(_heard(1), joined_late, _heard(3))) == []
    assert (
        violations(replace(_ben(_heard(1), Revoked(1.5, ROOM)), ends={}, removals=[Removal("ben", ROOM, 1, 9)])) == []
    )


WRONG: dict[str, tuple[History, str]] = {
    "a message that was acknowledged is lost": (replace(RIGHT, rows=ROWS[:2], events={}, ends={}), "lost"),
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
        _ben(_heard(1), _heard(2), Stood(5.0, ROOM, 2, 3, 1, is_reset=False), _heard(2), _heard(3)), "again or late",
    ),
    "an entry is left out after a loss of the connection": (
        _ben(_heard(1), Stood(5.0, ROOM, 1, 3, 1, is_reset=False), _heard(3)), "a gap",
    ),
    "a subscription begins anew for no reason": (
        _ben(_heard(1), Stood(5.0, ROOM, 1, 3, 1, is_reset=True)), "began anew",
    ),
    "the last entry never comes": (_ben(_heard(1), _heard(2)), "heard up to 2"),
    "an entry comes that nobody subscribed to": (
        replace(RIGHT, events={"ben": [_heard(1)]}, ends={}), "not subscribed",
    ),
    "an entry comes that is not stored": (_ben(*HEARD[1:], _heard(4)), "not stored"),
    "an entry comes with words that nobody wrote": (_ben(_heard(1), _heard(2), _heard(3, text="hm")), "nobody wrote"),
    "an entry comes as another": (_ben(_heard(1), _heard(2, kind="edit"), _heard(3)), "another entry"),
    "something comes after it was revoked": (
        replace(_ben(_heard(1), Revoked(1.5, ROOM), _heard(2)), ends={}), "not subscribed",
    ),
    "something sent a second after a removal comes": (
        replace(_ben(*HEARD[1:]), removals=[Removal("ben", ROOM, 1.5, 9)]), "after the right to it was lost",
    ),
    "something comes long after a removal": (
        replace(
            _ben(_heard(1, at_s=5.0)), sent=[_sent(1, began_s=0.5)], ends={}, removals=[Removal("ben", ROOM, 1, 9)],
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
            _ben(*HEARD[1:], Heard(4.1, ROOM, 4, "edit", None, "text 1", target=3)), ends={}, unread=[],
            rows=[*ROWS, _row(4, kind="edit", nonce=None, text=None)],
        ),
        "nobody wrote there",
    ),
    "an edit brings back what was deleted": (
        replace(
            _ben(*HEARD[1:], Heard(20.0, ROOM, 4, "edit", None, "text 3", target=3)), ends={}, unread=[],
            rows=[*ROWS[:2], _row(3, text=None, is_deleted=True), _row(4, kind="edit", nonce=None, text=None)],
            deleted=[Deleted(5.0, ROOM, 3)],
        ),
        "after it was deleted",
    ),
    "a message comes without its words": (_ben(_heard(1), _heard(2), _heard(3, text=None)), "without its words"),
    "a subscription goes on from where nobody was": (
        replace(_ben(_heard(1), Stood(5.0, ROOM, 2, 3, 1, is_reset=False), _heard(3)), ends={}, unread=[]), "had was 1",
    ),
    "somebody is not told what is unread": (replace(RIGHT, unread=[]), "nothing was told"),
    "an unread count is wrong": (replace(RIGHT, unread=[Unread("ben", ROOM, 1, 1, 3)]), "3 unread were told, 2 are"),
}  # fmt: skip


@pytest.mark.parametrize(("history", "found"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_history_is_found_out(history: History, found: str) -> None:
    lines: Sequence[str] = violations(history)
    assert any(found in line for line in lines), lines
