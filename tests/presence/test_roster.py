"""A roster is the same in whatever order its beats come."""

from hypothesis import given
from hypothesis import strategies as st

from hubchat.presence.roster import RANK, Beat, Roster

STATES = st.sampled_from(["online", "away"])
BEATS = st.lists(
    st.builds(
        Beat,
        node=st.integers(1, 3),
        version=st.integers(1, 5),
        members=st.dictionaries(st.integers(1, 4), STATES),
    ),
    max_size=12,
    unique_by=lambda beat: (beat.node, beat.version),
)


@given(BEATS, st.randoms(use_true_random=False))
def test_beats_merge_in_any_order_and_twice(beats: list[Beat], dice: object) -> None:
    one, other = Roster(), Roster()
    for beat in beats:
        one.merge(beat)
    shuffled = [*beats, *beats]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    for beat in shuffled:
        other.merge(beat)
    assert one == other


@given(BEATS)
def test_the_newest_beat_of_each_node_counts_and_the_most_present_node_of_each_member(beats: list[Beat]) -> None:
    roster = Roster()
    for beat in beats:
        roster.merge(beat)
    newest = {beat.node: beat for beat in sorted(beats, key=lambda beat: beat.version)}
    for account in range(1, 5):
        states = [beat.members[account] for beat in newest.values() if account in beat.members]
        assert RANK[roster.presence(account)] == max(map(RANK.__getitem__, states), default=0)


@given(BEATS, st.integers(1, 3))
def test_merging_and_forgetting_tell_exactly_whose_presence_changed(beats: list[Beat], node: int) -> None:
    roster = Roster()
    for beat in beats:
        before = {account: roster.presence(account) for account in range(1, 5)}
        changed = roster.merge(beat)
        assert changed == {account for account in before if roster.presence(account) != before[account]}
    before = {account: roster.presence(account) for account in range(1, 5)}
    changed = roster.forget(node)
    assert changed == {account for account in before if roster.presence(account) != before[account]}
