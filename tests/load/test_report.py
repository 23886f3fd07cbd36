"""A run's readings become the page's tables and pictures, and what was missed says so."""

from pathlib import Path

import pytest

from load import report
from load.plan import Reading
from load.targets import Readings

PAGE = "".join(f"<!-- {name} -->\n<!-- /{name} -->\nby hand\n" for name in ("machine", "targets", "seen"))


def readings(hubchat_us: float, ws_per_s: float) -> list[Reading]:
    cases = {"epoll": (5.0, 200_000.0), "ws": (10.0, ws_per_s), "hubchat": (hubchat_us, 100_000.0)}
    return [
        Reading("fanout", peer, turn, case, {"cpu_us_per_delivery": us, "deliveries_per_s": per_s})
        for peer, (us, per_s) in cases.items()
        for turn in range(2)
        for case in (1, 16, 64)
    ]


@pytest.mark.parametrize(("hubchat_us", "verdict"), [(6.0, "1.2 × | holds"), (10.0, "2 × | missed")])
def test_the_page_says_what_holds_and_what_was_missed(tmp_path: Path, hubchat_us: float, verdict: str) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    report.write(readings(hubchat_us, 50_000.0), "a small machine", page)
    written = page.read_text()
    assert f"CPU a delivery of a C epoll loop | ≤ 1.3 × | {verdict} |" in written
    assert "durable on SQLite, 50 readers | ≥ 15,000 /s | not measured |" in written
    assert written.count("by hand") == 3
    assert (tmp_path / "pictures" / "performance-fanout.svg").exists()


def test_writing_the_page_again_replaces_what_was_there(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    report.write(readings(10.0, 50_000.0), "first machine", page)
    report.write(readings(6.0, 50_000.0), "second machine", page)
    assert "first machine" not in page.read_text()
    assert page.read_text().count("second machine") == 1


def test_a_ratio_is_formed_within_each_round() -> None:
    slow_round = [Reading("fanout", peer, 1, 1, {"deliveries_per_s": 1.0}) for peer in ("hubchat", "ws")]
    fast_round = [
        Reading("fanout", "hubchat", 0, 1, {"deliveries_per_s": 300.0}),
        Reading("fanout", "ws", 0, 1, {"deliveries_per_s": 100.0}),
    ]
    assert Readings(slow_round + fast_round).ratio("fanout", "ws", 1, "deliveries_per_s") == 2.0
