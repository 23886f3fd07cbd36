"""A run's readings become the page's tables and pictures, and what was missed says so."""

from pathlib import Path

import pytest
import typer

from load import report
from load.__main__ import main
from load.plan import Reading
from load.targets import TARGETS, Readings, broken

PAGE = "".join(
    f"<!-- {name} -->\n<!-- /{name} -->\nby hand\n" for name in ("machine", "targets", "seen", "connections", "growth")
)


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
    assert written.count("by hand") == 5
    assert (tmp_path / "pictures" / "performance-fanout.svg").exists()


def test_writing_the_page_again_replaces_what_was_there(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    report.write(readings(10.0, 50_000.0), "first machine", page)
    report.write(readings(6.0, 50_000.0), "second machine", page)
    assert "first machine" not in page.read_text()
    assert page.read_text().count("second machine") == 1


def test_a_scenario_that_grows_has_a_table_and_a_picture_of_its_own(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    grown = [
        Reading("readers", "hubchat", 0, case, {"cpu_us_per_delivery": us}) for case, us in ((10, 9.0), (100, 1.5))
    ]
    report.write([*readings(10.0, 1.0), *grown], "a small machine", page)
    growth = page.read_text().split("<!-- growth -->")[1].splitlines()
    assert growth[1].startswith("| readers: readers | | cpu_us_per_message | cpu_us_per_delivery |")
    assert growth[3:5] == ["| 10 | hubchat |  | 9 |  |  |  |", "| 100 | hubchat |  | 1.5 |  |  |  |"]
    assert (tmp_path / "pictures" / "performance-readers.svg").exists()
    assert not (tmp_path / "pictures" / "performance-rooms.svg").exists()


def test_one_case_is_compared_with_another_within_each_round() -> None:
    told = [
        Reading("nodes", "hubchat", turn, case, {"messages_per_s": per_s})
        for turn, (one, two) in enumerate(((100.0, 80.0), (10.0, 5.0), (1000.0, 700.0)))
        for case, per_s in ((1, one), (2, two))
    ]
    assert Readings(told).between("nodes", "messages_per_s", 2, 1) == 0.7


def test_a_ratio_is_formed_within_each_round() -> None:
    slow_round = [Reading("fanout", peer, 1, 1, {"deliveries_per_s": 1.0}) for peer in ("hubchat", "ws")]
    fast_round = [
        Reading("fanout", "hubchat", 0, 1, {"deliveries_per_s": 300.0}),
        Reading("fanout", "ws", 0, 1, {"deliveries_per_s": 100.0}),
    ]
    assert Readings(slow_round + fast_round).ratio("fanout", "ws", 1, "deliveries_per_s") == 2.0


def test_a_peer_that_was_left_out_is_told_on_the_page_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    absent = Reading("fanout", "nchan", 0, left_out="nginx with nchan is not installed")
    measured = [*readings(6.0, 50_000.0), absent]
    report.write(measured, "a small machine", page)
    report.show(measured)
    sentence = "nchan is left out: nginx with nchan is not installed."
    assert f"\n\n{sentence}\n" in page.read_text()
    assert "16 in flight: deliveries/s of nchan | ≥ 6 × | left out |" in page.read_text()
    assert "64 in flight: deliveries/s of ws | ≥ 15 × | 2 × | missed |" in page.read_text()
    assert sentence in capsys.readouterr().out
    assert report.line(absent) == "fanout: nchan is left out: nginx with nchan is not installed"


def test_the_page_says_what_a_connection_keeps_of_each_peer(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    kept = [
        Reading("idle", peer, 0, values={"bytes": each}) for peer, each in {"hubchat": 4500.0, "ws": 9000.0}.items()
    ]
    report.write([*kept, Reading("connect", "ws", 0, values={"per_s": 5000.0, "cpu_us": 160.0})], "a machine", page)
    assert "| hubchat | 4.5 |  |  |\n| ws | 9 | 5,000 | 160 |\n" in page.read_text()


def runs(peer: str, name: str, *rounds: float) -> list[Reading]:
    told = {"messages_per_s": 100.0, "members_cpu_share": 0.25, "missing": 0.0, "errors": 0.0}
    return [Reading("durable", peer, turn, 50, {**told, name: value}) for turn, value in enumerate(rounds)]


def test_one_slip_in_one_round_is_told_and_not_lost_in_a_median(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(PAGE)
    report.write([*runs("hubchat", "missing", 0, 0, 7), *runs("ws", "missing", 0, 9, 0)], "a machine", page)
    written = page.read_text()
    assert "hubchat, in every run: missing, doubled, out of order, refused | ≤ 0  | 7  | missed |" in written
    cells = {row.split(" | ")[1]: row for row in written.splitlines() if row.startswith("| durable 50 |")}
    assert cells["hubchat"] == "| durable 50 | hubchat | 100 |  |  |  |  | 0.25 |  |  |  |  | 0 |  | 7 |  |  |"
    assert cells["ws"].endswith("| 0 |  | 9 |  |  |")


def test_a_right_that_was_lost_too_late_once_is_told() -> None:
    told = [Reading("across", "hubchat", turn, 0, {"revoked_max_ms": ms}) for turn, ms in enumerate((10, 1_400, 12))]
    (target,) = (x for x in TARGETS if x.what == "two nodes: who lost a right is told so")
    assert target.seen(Readings(told)) == 1_400
    assert not target.holds(1_400)


@pytest.mark.parametrize("name", ["missing", "doubled", "out_of_order", "gaps", "errors", "again_slips"])
def test_a_run_in_which_hubchat_broke_a_promise_fails_and_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    kept = report.keep(runs("hubchat-postgresql", name, 0, 3), "a machine", quick=True)
    with pytest.raises(typer.Exit) as ended:
        main(kept=kept)
    assert ended.value.exit_code == 1
    assert f"must not be: durable 50, hubchat-postgresql, round 1: 3 {name}" in capsys.readouterr().out


def test_what_a_peer_loses_is_told_and_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    told = [*runs("hubchat", "errors", 0), *runs("socketio", "errors", 5)]
    assert broken(told) == []
    main(kept=report.keep(told, "a machine", quick=True))
