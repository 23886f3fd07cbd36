"""The README is held to the truth: its commands run, and what it links to is there."""

import re
import subprocess
from pathlib import Path

from tests.program import HUBCHAT, Program

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DATA = "/srv/hubchat"


def commands(heading: str) -> list[str]:
    """The lines of the first block of commands under a heading."""
    under = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (first, *_) = re.findall(r"(?:^    .+\n)+", under, re.MULTILINE)
    return [line.strip() for line in first.splitlines()]


def test_the_lines_from_the_demo_to_a_real_hub_make_one(tmp_path: Path) -> None:
    export, *lines, last = commands("From the demo to a real hub")
    url = "https://hub.example.org"
    assert export == f"export HUBCHAT_DATA={DATA} HUBCHAT_URL={url} HUBCHAT_TRUSTED_PROXIES=127.0.0.1"
    assert last == "hubchat serve"
    program = Program(tmp_path / "data", {"HUBCHAT_URL": url, "HUBCHAT_TRUSTED_PROXIES": "127.0.0.1"})
    path = f"{Path(HUBCHAT).parent}:{program.environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "\n".join(lines)], env={**program.environment, "PATH": path}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    account, group, link = done.stdout.splitlines()
    assert account.isdigit()
    assert group.isdigit()
    assert link.startswith(f"{url}/sign-in#")
    assert "wrong settings" not in program.run("doctor").stdout
    with program.serving() as running:
        assert running.stop() == 0


def test_every_command_is_a_target_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:^    |`)make ([a-z-]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_that_it_names_is_there() -> None:
    for name in re.findall(r'(?:\]\(|src(?:set)?=")([^)"#:]+)[)"]', README):
        assert (ROOT / name).is_file(), name
