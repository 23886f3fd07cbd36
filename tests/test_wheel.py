"""The wheel is the whole hub: the server, its migrations and the web client."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "hubchat" / "static"


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel made of this folder with the pages that `make web` built."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        env={**os.environ, "HUBCHAT_SKIP_FRONTEND": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_carries_every_file_of_the_web_client(carried: set[str]) -> None:
    built = {str(path.relative_to(ROOT)) for path in STATIC.rglob("*") if path.is_file()}
    assert "hubchat/static/index.html" in built, "run `make web` first"
    assert built <= carried


def test_the_wheel_carries_every_module_and_migration(carried: set[str]) -> None:
    ours = [path for path in (ROOT / "hubchat").rglob("*") if path.is_file() and STATIC not in path.parents]
    assert {str(path.relative_to(ROOT)) for path in ours if path.parent.name != "__pycache__"} <= carried


def test_the_wheel_carries_nothing_but_the_package(carried: set[str]) -> None:
    tops = {name.partition("/")[0] for name in carried}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hubchat"}
