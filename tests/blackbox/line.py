"""A client as a test holds it: every frame is checked against the contract, and what it heard can be waited for."""

from tests.blackbox.client import Client, Frame
from tests.blackbox.shapes import check_frame


class Line(Client):
    """One member's connection, or a guest's, and those that follow it."""

    def _decode(self, data: bytes | str) -> Frame:
        frame = super()._decode(data)
        check_frame(frame)
        return frame

    def entries(self, channel: int, *kinds: str) -> list[Frame]:
        """What it heard of a channel, all of it or some kinds."""
        told = [frame for frame in self.heard if frame.get("channel") == channel and "kind" in frame]
        return [entry for entry in told if entry["kind"] in kinds] if kinds else told

    def seqs(self, channel: int) -> list[int]:
        return [entry["seq"] for entry in self.entries(channel)]

    def revoked(self) -> dict[int, str]:
        """The channels that it lost, and why."""
        return {one["revoked"]["channel"]: one["revoked"]["reason"] for one in self.heard if "revoked" in one}

    def signals(self, kind: str) -> list[Frame]:
        return [frame for frame in self.heard if frame.get("signal") == kind]

    async def until_heard(self, count: int = 1) -> list[Frame]:
        """Everything it heard, once that is so much."""
        await self.until(lambda: len(self.heard) >= count)
        return self.heard

    async def until_entries(self, channel: int, count: int = 1, *kinds: str) -> list[Frame]:
        """The entries it heard of a channel, once they are so many."""
        await self.until(lambda: len(self.entries(channel, *kinds)) >= count)
        return self.entries(channel, *kinds)

    async def until_at(self, channel: int, seq: int, within_s: float | None = None) -> None:
        """Waits until it has heard a channel up to an entry."""
        await self.until(lambda: self.at[channel] >= seq, within_s)

    async def until_revoked(self, count: int = 1) -> dict[int, str]:
        await self.until(lambda: len(self.revoked()) >= count)
        return self.revoked()

    async def until_ended(self) -> int | None:
        """The code that the last connection was closed with, once no other will follow."""
        await self.until(lambda: self.ended)
        return self.close_code
