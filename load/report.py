"""Tells what a run showed: a table on the terminal, and the parts of docs/performance.md that are numbers."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from load import pictures
from load.members import SLIPS
from load.plan import Reading
from load.targets import TARGETS, Readings, Target, broken

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = Path(__file__).parent / "results"
SHARES = ("cpu_share", "members_cpu_share")
TOLD = ("messages_per_s", "deliveries_per_s", "cpu_us_per_message", "cpu_us_per_delivery", *SHARES)
GROWTH = {
    "readers": ("readers", ("cpu_us_per_message", "cpu_us_per_delivery", "deliveries_per_s", *SHARES)),
    "rooms": ("rooms", ("cpu_us_per_message", "cpu_us_per_delivery", "deliveries_per_write", "cpu_us_per_write")),
    "nodes": ("nodes", ("messages_per_s", "cpu_us_per_message", "reply_p99_ms", "delivery_p99_ms")),
    "across": ("two nodes", ("came_p50_ms", "came_max_ms", "revoked_p50_ms", "revoked_max_ms", "went_p50_ms",
                             "went_max_ms")),
    "history": ("entries", ("newest_p50_ms", "newest_p99_ms", "middle_p50_ms", "middle_p99_ms", "oldest_p50_ms",
                            "oldest_p99_ms")),
    "search": ("messages", tuple(f"{who}_{what}_{point}_ms" for who in ("member", "guest")
                                 for what in ("common", "rare", "phrase", "beginning", "both")
                                 for point in ("p50", "p95"))),
    "slow": ("stalled readers", ("delivery_p50_ms", "delivery_p99_ms", "rss_each", "kernel_each", "grows_each",
                                 "again_s", "again_slips")),
    "storm": ("members", ("seconds", "cpu_us", "replay_reads", "reads", "reads_each")),
}  # fmt: skip
"""What each of these grows by, and what is told of it: cost must grow as the work does and no faster."""
SHOWN = (*TOLD, "delivery_p50_ms", "delivery_p99_ms", "reply_p50_ms", "reply_p99_ms", *SLIPS)


def line(reading: Reading) -> str:
    """One measurement, while the others still run."""
    if reading.left_out:
        return f"{reading.scenario}: {reading.peer} is left out: {reading.left_out}"
    run = "messages_per_s" in reading.values
    values = {name: x for name, x in reading.values.items() if name in SHOWN or not run}
    told = "  ".join(f"{name} {_number(value)}" for name, value in values.items())
    return f"{reading.round} {reading.scenario} {reading.peer} {reading.case or ''}  {told}"


def keep(readings: list[Reading], machine: str, *, quick: bool) -> Path:
    """The readings and where they were taken, in load/results, which git ignores."""
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = RESULTS / f"{stamp}{'-quick' if quick else ''}.json"
    path.write_text(json.dumps({"machine": machine, "readings": [reading.as_json() for reading in readings]}))
    return path


def kept(path: Path) -> tuple[list[Reading], str]:
    """What `keep` wrote."""
    told = json.loads(path.read_text())
    return [Reading(**reading) for reading in told["readings"]], told["machine"]


def show(readings: list[Reading]) -> None:
    """What is to hold, as far as it was measured."""
    asked, table, console = Readings(readings), Table("what", "wanted", "seen", ""), Console()
    for target in TARGETS:
        if target.seen(asked) is not None or target.beside in asked.left_out:
            table.add_row(*_row(target, asked))
    console.print(table)
    for sentence in _left_out(asked):
        console.print(sentence)
    for slip in broken(readings):
        console.print(f"must not be: {slip}", style="bold red")


def write(readings: list[Reading], machine: str, page_path: Path = PAGE) -> None:
    """The page's tables, and its pictures beside it; the words around them are written by hand."""
    asked = Readings(readings)
    rows = [
        ["what", "wanted", "seen", ""],
        ["---", "---:", "---:", "---"],
        *(_row(target, asked) for target in TARGETS),
    ]
    page = page_path.read_text("utf-8")
    page = _replaced(page, "machine", machine)
    page = _replaced(page, "targets", "\n".join([*map(_joined, rows), *_left_out(asked, "\n")]))
    page = _replaced(page, "seen", "\n".join(_seen(readings)))
    page = _replaced(page, "growth", "\n".join(_growth(readings)))
    page = _replaced(page, "connections", "\n".join(_connections(readings)))
    page_path.write_text(page, "utf-8")
    pictures.draw(asked, page_path.parent / "pictures")


def _row(target: Target, asked: Readings) -> list[str]:
    wanted = f"{'≤' if target.most else '≥'} {_number(target.limit)} {target.unit}"
    seen = target.seen(asked)
    if seen is None:
        return [target.what, wanted, "left out" if target.beside in asked.left_out else "not measured", ""]
    return [target.what, wanted, f"{_number(seen)} {target.unit}", "holds" if target.holds(seen) else "missed"]


def _seen(readings: list[Reading]) -> list[str]:
    """Every case of the two scenarios that have several: medians, and the worst round of what must not be."""
    asked, lines = Readings(readings), [f"| | | {' | '.join(SHOWN)} |", f"|---|---|{'---:|' * len(SHOWN)}"]
    cases = dict.fromkeys((r.scenario, r.peer, r.case) for r in readings if r.case and r.scenario not in GROWTH)
    for scenario, peer, case in cases:
        lines.append(f"| {scenario} {case:,} | {peer} | {_told(asked, scenario, peer, case, SHOWN)} |")
    return lines


def _growth(readings: list[Reading]) -> list[str]:
    """A table for each scenario that was measured."""
    asked, lines = Readings(readings), list[str]()
    for scenario, (what, names) in GROWTH.items():
        cases = dict.fromkeys((r.peer, r.case) for r in readings if r.scenario == scenario)
        if not cases:
            continue
        lines += ["", f"| {scenario}: {what} | | {' | '.join(names)} |", f"|---:|---|{'---:|' * len(names)}"]
        for peer, case in cases:
            lines.append(f"| {case:,} | {peer} | {_told(asked, scenario, peer, case, names)} |")
    return lines[1:]


def _told(asked: Readings, scenario: str, peer: str, case: int, names: Iterable[str]) -> str:
    seen = (asked.told(scenario, peer, case, name) for name in names)
    return " | ".join("" if value is None else _number(value) for value in seen)


def _connections(readings: list[Reading]) -> list[str]:
    """What a connection keeps and what it costs to make one, of each peer."""
    asked = Readings(readings)
    columns = {"memory, KB": ("idle", "bytes", 1e-3), "connects/s": ("connect", "per_s", 1.0)}
    columns["CPU a connect, µs"] = ("connect", "cpu_us", 1.0)
    lines = [_joined(["", *columns]), f"|---|{'---:|' * len(columns)}"]
    scenarios = {scenario for scenario, _, _ in columns.values()}
    for peer in dict.fromkeys(r.peer for r in readings if r.scenario in scenarios and r.values):
        seen = [(asked.middle(scenario, peer, 0, name), by) for scenario, name, by in columns.values()]
        lines.append(_joined([peer, *("" if value is None else _number(value * by) for value, by in seen)]))
    return lines


def _left_out(asked: Readings, before: str = "") -> list[str]:
    """A sentence for each peer that this machine doesn't have."""
    return [f"{before}{peer} is left out: {why}." for peer, why in asked.left_out.items()]


def _joined(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _replaced(page: str, name: str, content: str) -> str:
    """Raises ValueError when the page has no such part: between `<!-- name -->` and `<!-- /name -->`."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    page, count = pattern.subn(lambda part: f"{part[1]}{content}\n{part[2]}", page)
    if count != 1:
        raise ValueError(f"the page has no part named {name}")
    return page


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
