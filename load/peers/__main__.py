"""`python -m load.peers`: installs what `make load` compares with and Debian has, as root; else says what is missing.

No service is started by it, and none that it brought stays switched on: load starts its own, on ports of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from load.compiler import CannotMeasureError
from load.peers import ejabberd_room, nginx

POLICY = Path("/usr/sbin/policy-rc.d")  # Debian's packages ask it before they start anything; 101 says no
APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120")
SERVICES = {"ejabberd": "/usr/sbin/ejabberdctl", "nginx": "/usr/sbin/nginx"}


def main() -> None:
    """Nothing fails here: the measurements say what they leave out."""
    wanted = [
        *_missing(nginx.programs, nginx.PACKAGES),
        *_missing(ejabberd_room.libraries, ejabberd_room.PACKAGES),
    ]
    if not wanted:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Some comparisons are left out. To have them, run: sudo apt-get install {' '.join(wanted)}")
        return
    print(f"==> installing what hubchat is measured against: apt-get install {' '.join(wanted)} (a minute)")
    new = [service for service, program in SERVICES.items() if not Path(program).exists()]
    with _no_service_starts():
        _run(*APT, "update")
        _run(*APT, "install", "--no-install-recommends", *wanted)
    for service in new:
        if Path(SERVICES[service]).exists() and shutil.which("systemctl"):
            _run("systemctl", "disable", "--quiet", service)


def _missing(look: Callable[[], object], packages: tuple[str, ...]) -> tuple[str, ...]:
    try:
        look()
    except CannotMeasureError:
        return packages
    return ()


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Where nobody has made such a rule, it holds until the packages are installed."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _run(*command: str) -> None:
    subprocess.run(
        command, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, stdout=subprocess.DEVNULL, check=False
    )


if __name__ == "__main__":
    main()
