"""The hour goes on whatever a run does, and its summary tells."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults import __main__ as hour
from tests.faults.run import Verdict


def test_a_run_that_ends_by_an_exception_is_a_violation_and_the_next_one_has_its_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def run(seed: int, _folder: Path, **_how: Any) -> Verdict:  # Any: as it is called
        if seed == 1:
            raise RuntimeError("a node ended")
        return Verdict([], ["a removal"], {"messages": seed, "ms that these took at most": seed})

    monkeypatch.setattr(hour, "run", run)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: tmp_path / f"{prefix}of-a-run")
    (tmp_path / "hubchat-faults-of-a-run").mkdir()
    monkeypatch.setattr("shutil.rmtree", lambda folder: None)
    monkeypatch.setattr("sys.argv", ["faults", "1", "3", "5"])
    assert hour.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert "seed 1: 1 violations; " in said
    assert "  the run ended: RuntimeError('a node ended')" in said
    assert "  not judged for time: a removal" in said
    assert said[-1] == "3 seeds, 1 with violations; in all: 8 messages, 5 ms that these took at most"
