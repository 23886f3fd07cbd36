"""The pictures of docs/performance.md: small SVGs that stay the same when the numbers do."""

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from load.targets import Readings

COLOURS = {
    "epoll": "#8a8f98",
    "ws": "#d08770",
    "nchan": "#c9a227",
    "centrifuge": "#7a9e5f",
    "centrifuge-gathering": "#b3c9a0",
    "socketio": "#b48ead",
    "ejabberd": "#8f5d5d",
    "hubchat": "#2a7f86",
    "hubchat-postgresql": "#7fb8bd",
}
NAMES = {
    "epoll": "C epoll loop",
    "ws": "Node's ws",
    "nchan": "nginx with nchan",
    "centrifuge": "Centrifugo's engine",
    "centrifuge-gathering": "Centrifugo's, gathering 20 ms",
    "socketio": "Socket.IO, an INSERT each",
    "ejabberd": "ejabberd, archive in PostgreSQL",
    "hubchat": "hubchat",
    "hubchat-postgresql": "hubchat on PostgreSQL",
}
IN_FLIGHT, READERS = (1, 16, 64), (50, 200, 1000)


def draw(readings: Readings, folder: Path) -> None:
    """Each picture for which hubchat was measured, with those of its peers that were too."""
    folder.mkdir(parents=True, exist_ok=True)
    style = mpl.rc_context(
        {
            "svg.hashsalt": "hubchat",  # the same ids each time
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    with style:
        _bars(
            readings,
            folder / "performance-fanout.svg",
            ("fanout", "deliveries_per_s", IN_FLIGHT),
            ("epoll", "ws", "nchan", "centrifuge", "centrifuge-gathering", "hubchat"),
            ("messages in flight", "deliveries/s to 2,000 readers"),
        )
        _bars(
            readings,
            folder / "performance-durable.svg",
            ("durable", "messages_per_s", READERS),
            ("ejabberd", "socketio", "hubchat-postgresql", "hubchat"),
            ("readers", "durable messages/s"),
        )

        for scenario, lines, labels in GROWTH:
            _lines(readings, folder / f"performance-{scenario}.svg", scenario, lines, labels)


GROWTH = (
    ("readers", (("hubchat", "cpu_us_per_delivery", "a delivery"),), ("readers of one room", "CPU, µs")),
    (
        "rooms",
        (("hubchat", "cpu_us_per_message", "a message"), ("hubchat", "cpu_us_per_write", "a write")),
        ("rooms", "CPU, µs"),
    ),
    ("nodes", (("hubchat", "cpu_us_per_message", "a message"),), ("nodes", "CPU of all, µs")),
    (
        "history",
        (("hubchat", "p99_ms", "SQLite, p99"), ("hubchat-postgresql", "p99_ms", "PostgreSQL, p99")),
        ("stored entries", "a page of 50, ms"),
    ),
)


def _lines(
    readings: Readings,
    path: Path,
    scenario: str,
    lines: tuple[tuple[str, str, str], ...],
    labels: tuple[str, str],
) -> None:
    seen = {what: readings.cases(scenario, peer, name) for peer, name, what in lines}
    if not all(len(points) > 1 for points in seen.values()):
        return
    figure, axes = plt.subplots(figsize=(5.2, 2.8))
    for (what, points), colour in zip(seen.items(), (COLOURS["hubchat"], COLOURS["ws"]), strict=False):
        axes.plot(list(points), list(points.values()), marker="o", markersize=4, color=colour, label=what)
        for case, value in points.items():
            axes.annotate(f"{value:.3g}", (case, value), (0, 5), textcoords="offset points", ha="center", fontsize=7)
    ticks = sorted({case for points in seen.values() for case in points})
    if ticks[-1] > 10 * ticks[0]:
        axes.set_xscale("log")
    axes.set_xticks(ticks, [_short(case) for case in ticks])
    axes.minorticks_off()
    axes.set_ylim(0, max(max(points.values()) for points in seen.values()) * 1.25)
    axes.margins(x=0.1)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    plt.close(figure)


def _bars(
    readings: Readings,
    path: Path,
    what: tuple[str, str, tuple[int, ...]],
    peers: tuple[str, ...],
    labels: tuple[str, str],
) -> None:
    scenario, name, cases = what
    measured = {peer: [readings.middle(scenario, peer, case, name) for case in cases] for peer in peers}
    heights = {peer: row for peer, row in measured.items() if None not in row}  # the others were left out
    if "hubchat" not in heights:
        return
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    width = 0.86 / len(heights)
    for index, (peer, row) in enumerate(heights.items()):
        places = [group + (index - (len(heights) - 1) / 2) * width for group in range(len(cases))]
        bars = axes.bar(places, [height or 0 for height in row], width * 0.92, color=COLOURS[peer], label=NAMES[peer])
        axes.bar_label(bars, [_short(height or 0) for height in row], padding=2, fontsize=7)
    _dress(axes, cases, labels)
    figure.tight_layout()
    _save(figure, path)


def _dress(axes: Axes, cases: tuple[int, ...], labels: tuple[str, str]) -> None:
    axes.set_xticks(range(len(cases)), [f"{case:,}" for case in cases])
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"
