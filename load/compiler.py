"""The C programs of load/, compiled when they are older than what they are made of."""

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BIN = HERE / "bin"


class CannotMeasureError(Exception):
    """Something that a scenario needs is not there; its text is one line that says what to do."""


def compiled(source: str) -> Path:
    """The program made from `source`, a path below load/; raises CannotMeasureError without a compiler."""
    path = HERE / source
    program = BIN / path.stem
    sources = [path, *(HERE / "native").glob("*.h")]
    if program.exists() and program.stat().st_mtime > max(x.stat().st_mtime for x in sources):
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise CannotMeasureError("no C compiler: install gcc (Debian: apt-get install gcc libc6-dev)")
    BIN.mkdir(exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, path], check=True)
    return program
