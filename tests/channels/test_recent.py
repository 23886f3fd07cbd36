"""What is kept of busy channels is what was handed out, whole or not at all, and never what a change made untrue."""

from hypothesis import given
from hypothesis import strategies as st

from hubchat.channels.encoded import Encoded
from hubchat.channels.recent import ENTRIES, Recent
from hubchat.wire import Entry

LIMIT = 1 << 20
CHANGES = st.one_of(st.none(), st.tuples(st.sampled_from(["edit", "delete", "reaction", "pin"]), st.integers(1, 40)))


def _entry(seq: int, change: tuple[str, int] | None) -> Encoded:
    if change is None or change[1] >= seq:
        return Encoded(Entry(1, seq, "message", 7, seq, text=f"text {seq}"))
    return Encoded(Entry(1, seq, change[0], 7, seq, target=change[1]))


@given(st.lists(CHANGES, max_size=60))
def test_a_slot_is_the_entry_itself_unless_a_later_change_is_about_it_or_its_target(
    changes: list[tuple[str, int] | None],
) -> None:
    recent = Recent(LIMIT)
    entries = [_entry(seq, change) for seq, change in enumerate(changes, 1)]
    for entry in entries:
        recent.add(entry)
    for entry in entries:
        later = [other.entry.target for other in entries if other.seq > entry.seq and other.entry.target]
        untrue = entry.seq in later or (entry.entry.target in later)
        assert recent.get(1, entry.seq) is (None if untrue else entry)
    assert recent.bytes == sum(found.size for entry in entries if (found := recent.get(1, entry.seq)))


def test_a_gap_begins_anew_and_only_so_many_are_kept() -> None:
    recent = Recent(LIMIT * 100)
    for seq in [1, 2, 5, 6]:
        recent.add(_entry(seq, None))
    assert [recent.get(1, seq) is not None for seq in (1, 2, 5, 6)] == [False, False, True, True]
    for seq in range(7, ENTRIES + 8):
        recent.add(_entry(seq, None))
    assert recent.get(1, 7) is None
    assert recent.get(1, 8) is not None


def test_over_the_bound_the_channel_that_was_quiet_longest_is_forgotten() -> None:
    recent = Recent(10_000)
    for channel in range(1, 40):
        recent.add(Encoded(Entry(channel, 1, "message", 7, 1, text="hello")))
        recent.add(Encoded(Entry(999, channel, "message", 7, 1, text="busy")))
    assert recent.bytes <= 10_000
    assert recent.get(1, 1) is None
    assert recent.get(39, 1) is not None


def test_what_it_knows_of_changes_to_older_entries_does_not_grow_with_them() -> None:
    recent = Recent(LIMIT * 100)
    for seq in range(1, 3 * ENTRIES):
        recent.add(Encoded(Entry(1, 10 * ENTRIES + seq, "reaction", 7, 1, target=seq)))
    assert len(recent._channels[1].targets) == ENTRIES
