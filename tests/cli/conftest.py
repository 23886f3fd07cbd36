"""Commands are tried in this process, where many of them fit into a second; a few run as processes of their own."""

import io
import os
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from hubchat import cli
from tests.program import as_before

__all__ = ["as_before"]


class Told(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


class Call(Protocol):
    """Runs `hubchat` with these words, `said` on its standard input."""

    def __call__(self, *words: str, said: str = "") -> Told: ...


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def hubchat(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_before: None) -> Call:
    """The command line with a data folder of its own, and nothing of what HUBCHAT_ holds here."""
    for name in [name for name in os.environ if name.startswith("HUBCHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUBCHAT_DATA", str(data))
    monkeypatch.setenv("HUBCHAT_ARGON2_MEMORY_KIB", "8")

    def call(*words: str, said: str = "") -> Told:
        monkeypatch.setattr(sys, "argv", ["hubchat", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, *capsys.readouterr())

    return call
