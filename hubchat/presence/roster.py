"""Who is here, as a pure value: beats of nodes merge in any order, and the newest of each node counts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["online", "away"]
Presence: TypeAlias = Literal["online", "away", "offline"]

RANK: Final[Mapping[Presence, int]] = {"offline": 0, "away": 1, "online": 2}


@dataclass(frozen=True, slots=True)
class Beat:
    """What one node says of its members: all of them, as of `version`, which counts up while the node lives."""

    node: int
    version: int
    members: Mapping[int, State]


@dataclass(slots=True)
class Roster:
    """The newest beat of each node."""

    beats: dict[int, Beat] = field(default_factory=dict)

    def merge(self, beat: Beat) -> frozenset[int]:
        """Takes a beat, unless a newer one of its node came first; gives the accounts whose presence it changed."""
        old = self.beats.get(beat.node)
        if old is not None and old.version >= beat.version:
            return frozenset()
        concerned = set(beat.members) | (set(old.members) if old else set())
        before = {account: self.presence(account) for account in concerned}
        self.beats[beat.node] = beat
        return frozenset(account for account in concerned if self.presence(account) != before[account])

    def forget(self, node: int) -> frozenset[int]:
        """Drops a node that is gone; gives the accounts whose presence that changed."""
        beat = self.beats.pop(node, None)
        members: Iterable[int] = beat.members if beat else ()
        return frozenset(account for account in members if self.presence(account) != beat.members[account])  # type: ignore[union-attr]  # no beat, no members

    def presence(self, account: int) -> Presence:
        """Online when somewhere active, away when idle wherever they are."""
        states: list[Presence] = [beat.members[account] for beat in self.beats.values() if account in beat.members]
        return max(states, key=RANK.__getitem__, default="offline")
