"""The workers of one port tell each other their metrics, since whoever asks the port reaches any one of them.

Each listens on a Unix socket in the parent's folder, says everything to whoever connects, and hangs up.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
from prometheus_client.core import Metric

log = logging.getLogger(__name__)

ANSWER_S: Final = 1.0  # who sleeps longer is left out of this answer
SUFFIX: Final = ".metrics"

Metrics = Iterable[Metric]


class Siblings:
    """The other workers, whose sockets are in `folder`, of the worker with this `number`."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self._folder = folder

    @asynccontextmanager
    async def telling(self, own: Callable[[], Metrics]) -> AsyncIterator[None]:
        """Answers the others while it lasts."""

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(_packed(own()))
            writer.close()

        path = self._folder / f"{self.number}{SUFFIX}"
        path.unlink(missing_ok=True)  # of a worker that was killed, whose place this one has
        server = await asyncio.start_unix_server(tell, path)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def ask(self) -> dict[int, Metrics]:
        """What each of the others says of itself, by its number; who does not answer in time is not in it."""
        numbers = [int(path.stem) for path in self._folder.glob(f"*{SUFFIX}")]
        others = [number for number in sorted(numbers) if number != self.number]
        answers = await asyncio.gather(*map(self._ask, others))
        return {number: answer for number, answer in zip(others, answers, strict=True) if answer is not None}

    async def _ask(self, number: int) -> Metrics | None:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._folder / f"{number}{SUFFIX}")
                try:
                    return _unpacked(await reader.read())
                finally:
                    writer.close()
        except (OSError, ValueError):  # TimeoutError is an OSError; ValueError: it died while it spoke
            log.info("a worker does not answer", extra={"worker": number})
            return None


def together(told: Mapping[int, Metrics]) -> list[Metric]:
    """One family of each name, in which the label `worker` tells whose a sample is."""
    families: dict[str, Metric] = {}
    for number in sorted(told):
        for metric in told[number]:
            family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                family.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
    return list(families.values())


def _packed(metrics: Metrics) -> bytes:
    return orjson.dumps(
        [
            (
                metric.name,
                metric.documentation,
                metric.type,
                [(one.name, one.labels, one.value) for one in metric.samples],
            )
            for metric in metrics
        ]
    )


def _unpacked(told: bytes) -> Metrics:
    families = []
    for name, documentation, kind, samples in orjson.loads(told):
        families.append(Metric(name, documentation, kind))
        for sample in samples:
            families[-1].add_sample(*sample)
    return families
