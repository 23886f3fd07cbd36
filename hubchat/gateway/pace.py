"""How fast a connection may go: buckets that fill with time and empty with use."""

from time import monotonic


class Bucket:
    """Holds up to `size`; fills again at `a_second`."""

    __slots__ = ("a_second", "at", "level", "size")

    def __init__(self, size: float, a_second: float) -> None:
        self.size = size
        self.a_second = a_second
        self.level = size
        self.at = monotonic()

    def take(self) -> int:
        """Takes one; 0, or after how many ms there will be one."""
        now = monotonic()
        self.level = min(self.size, self.level + (now - self.at) * self.a_second)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0
        return 1 + int((1 - self.level) / self.a_second * 1_000)
