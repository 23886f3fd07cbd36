"""How long the event loop kept everybody waiting: the longest pause of the last one to two minutes."""

from typing import Final

WINDOW_S: Final = 60.0  # longer than Prometheus waits between two looks, so that none falls between them


class Pauses:
    """Told at each tick of the keeper how late it came: up to a tick less than the pause itself."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._former_s = 0.0
        self._longest_s = 0.0

    @property
    def longest_s(self) -> float:
        return max(self._former_s, self._longest_s)

    def note(self, now_s: float, late_s: float) -> None:
        if now_s - self._began_s >= WINDOW_S:
            self._began_s = now_s
            self._former_s, self._longest_s = self._longest_s, 0.0
        self._longest_s = max(self._longest_s, late_s)
