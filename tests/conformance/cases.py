"""The Autobahn cases, run by kosoku against the echo, and a page that tells how it went."""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from kosoku import FailureError, run_fuzzingclient

from tests.conformance.echo import EchoGateway, serving

if TYPE_CHECKING:
    from kosoku._kosoku import CaseResult

LONG: Final = ("9.*", "12.*", "13.*")
"""Limits, performance and compression take minutes; the other 247 cases two seconds."""

CHAPTERS: Final = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Closing",
    "9": "Limits and performance",
    "10": "Miscellaneous",
    "12": "Compression: kinds and sizes of messages",
    "13": "Compression: its parameters",
}
GOOD: Final = {"OK", "INFORMATIONAL"}

PAGE: Final = """\
# Conformance of the live connection

The WebSocket side of the hub against the cases of the Autobahn test suite, run by kosoku {version} on an echo
server made of the gateway's own `HttpEdge`, `Link` and `framing.py` (`tests/conformance`). `make conformance` runs
all cases and writes this page; `make test` runs all but chapters 9, 12 and 13.

| chapter | about | cases | OK | informational |
|---|---|---|---|---|
{rows}

Informational are the cases that try what the standard leaves open: {informational}.
"""


async def run(left_out: Sequence[str], concurrency: int) -> "Sequence[CaseResult]":
    """The results of all cases but those left out; where some failed, of these alone."""
    async with serving(EchoGateway()) as port:
        try:
            return await run_fuzzingclient(f"ws://127.0.0.1:{port}/live", None, left_out, concurrency)
        except FailureError as failure:
            return failure.results


def not_good(results: "Sequence[CaseResult]") -> list[str]:
    """The cases that are neither OK nor informational, with what they are."""
    return [
        f"{each.case_id}: {each.behavior.value}, closing {each.behavior_close.value}: {each.result} {each.result_close}"
        for each in results
        if each.behavior.value not in GOOD or each.behavior_close.value not in GOOD
    ]


def page(results: "Sequence[CaseResult]") -> str:
    """docs/conformance.md, for a run in which all is good."""
    chapters: dict[str, Counter[str]] = {number: Counter() for number in CHAPTERS}
    for each in results:
        chapters[each.case_id.split(".")[0]][each.behavior.value] += 1
    rows = [_row(number, CHAPTERS[number], counts) for number, counts in chapters.items()]
    rows.append(_row("all", "", sum(chapters.values(), Counter())))
    informational = [each.case_id for each in results if each.behavior.value == "INFORMATIONAL"]
    return PAGE.format(version=version("kosoku"), rows="\n".join(rows), informational=", ".join(informational))


def _row(number: str, about: str, counts: Counter[str]) -> str:
    return f"| {number} | {about} | {counts.total()} | {counts['OK']} | {counts['INFORMATIONAL']} |"
