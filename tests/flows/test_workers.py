"""`hubchat serve --workers`: several processes on one port, which are one hub to whoever comes."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.blackbox.client import Client, Ended
from tests.program import HUBCHAT, Program, Running, children_of, one_line, wait_until
from tests.redis_servers import RedisServer
from tests.servers import free_port

WORKERS = 2
STOP_S = 2.0
REPLACED_S = 20.0


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """One for all: hubs on it have topics of their own."""
    with RedisServer() as server:
        yield server


def of_workers(data: Path, redis: RedisServer) -> Program:
    return Program(data, {"HUBCHAT_REDIS_URL": redis.url, "HUBCHAT_WORKERS": str(WORKERS)})


@pytest.fixture
def hubchat(tmp_path: Path, redis: RedisServer) -> Program:
    return of_workers(tmp_path / "data", redis)


@pytest.fixture
def running(hubchat: Program) -> Iterator[Running]:
    with hubchat.serving() as running:
        yield running


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Running]:
    """For tests that leave it as it was."""
    with of_workers(tmp_path_factory.mktemp("steady") / "data", redis).serving() as running:
        yield running


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def metrics(running: Running) -> dict[str, dict[str, float]]:
    """By name, what each worker says."""
    told: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(httpx2.get(f"{running.url}/metrics", timeout=1).text):
        for sample in family.samples:
            if sample.labels.keys() == {"worker"}:
                told.setdefault(sample.name, {})[sample.labels["worker"]] = sample.value
    return told


def until_all_serve(running: Running) -> None:
    """All workers let members in, and rely on the bus between them."""

    def holds() -> bool:
        told = metrics(running)
        knows = [count >= WORKERS - 1 for count in told["hubchat_peers"].values()]
        return len(knows) == WORKERS and all(knows) and all(told["hubchat_bus_up"].values())

    wait_until(holds, "the workers are not one hub")


@asynccontextmanager
async def on_both(running: Running, *headers: dict[str, str]) -> AsyncIterator[list[Client]]:
    """A connection for each of the headers, each on a worker of its own: the kernel deals them out."""
    made: list[Client] = []
    spare: list[Client] = []
    try:
        for one in headers:
            while True:
                client = await Client(running.url, one).__aenter__()
                if client.welcome["node"] not in [other.welcome["node"] for other in made]:
                    made.append(client)
                    break
                spare.append(client)
        yield made
    finally:
        for client in made + spare:
            await client.__aexit__(None, None, None)


def token(hubchat: Program, handle: str) -> dict[str, str]:
    hubchat.tell("user", "add", handle)
    return {"Authorization": f"Bearer {hubchat.tell('token', handle)}"}


async def test_members_of_two_workers_hear_each_other_once_and_in_order(
    tmp_path: Path, redis: RedisServer, database_url: str
) -> None:
    hubchat = Program(tmp_path / "data", {"HUBCHAT_REDIS_URL": redis.url, "HUBCHAT_DATABASE_URL": database_url})
    with hubchat.serving("--workers", str(WORKERS)) as running:
        ana, ben = token(hubchat, "ana"), token(hubchat, "ben")
        room = int(hubchat.tell("group", "add", "lobby", "--title", "L", "--visibility", "public", "--owner", "ana"))
        httpx2.post(f"{running.url}/api/v1/groups/{room}/join", headers=ben, json={}).raise_for_status()
        until_all_serve(running)
        async with on_both(running, ana, ben) as clients:
            for client in clients:
                await client.subscribe(room)
            await asyncio.gather(*(client.send(room, f"{n}") for n in range(20) for client in clients))
            head = max(client.at[room] for client in clients)
            for client in clients:  # which refuses a gap and a double
                await client.until(lambda client=client: client.at[room] == head)  # type: ignore[misc]
            said = [[m["text"] for m in client.heard if m.get("kind") == "message"] for client in clients]
        assert said[0] == said[1]
        assert len(said[0]) == 40


def test_it_says_where_it_is_when_all_let_members_in_and_only_once(steady: Running) -> None:
    wait_until(lambda: steady.url in steady.said, "the address is not told")
    assert len(metrics(steady)["hubchat_connections"]) == WORKERS
    assert steady.said.count(steady.url) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_all_and_says_bye(running: Running, how: signal.Signals) -> None:
    pids = children_of(running.process.pid)
    async with on_both(running, {}, {}) as clients:
        for client in clients:
            client.resume = False
        began_s = time.monotonic()
        assert await asyncio.to_thread(running.stop, how) == 0
        assert time.monotonic() - began_s < STOP_S
        for client in clients:
            with pytest.raises(Ended):
                await client.until(lambda: False)
            assert client.close_code == 1012
            assert [m for m in client.heard if "bye" in m]
    assert not any(map(is_alive, pids))


def test_control_c_in_a_terminal_reaches_all_processes_and_stops_in_good_order(hubchat: Program) -> None:
    port = free_port()
    process = subprocess.Popen(
        [HUBCHAT, "serve", "--port", str(port)], env=hubchat.environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: _is_ready(port), "the hub is not ready")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_second_interrupt_ends_all_at_once_and_leaves_nothing_behind(hubchat: Program) -> None:
    with tempfile.TemporaryDirectory() as folder:  # the test's own has too long a name
        hubchat.environment["TMPDIR"] = folder
        with hubchat.serving() as running:
            pids = children_of(running.process.pid)
            os.kill(pids[0], signal.SIGSTOP)  # it can't go in good order
            began_s = time.monotonic()
            assert running.stop(signal.SIGINT, signal.SIGINT) == 130
            assert time.monotonic() - began_s < STOP_S
        assert not any(map(is_alive, pids))
        assert not list(Path(folder).iterdir())


async def test_a_killed_worker_is_replaced_and_its_members_come_back(running: Running, hubchat: Program) -> None:
    ana = token(hubchat, "ana")
    room = int(hubchat.tell("group", "add", "lobby", "--title", "L", "--visibility", "public", "--owner", "ana"))
    until_all_serve(running)
    before = children_of(running.process.pid)
    async with on_both(running, ana, ana) as clients:
        for client in clients:
            await client.subscribe(room)
        nodes = [client.welcome["node"] for client in clients]
        os.kill(before[0], signal.SIGKILL)
        await asyncio.gather(*(client.send(room, f"{n}") for n in range(20) for client in clients))
        head = max(client.at[room] for client in clients)
        for client in clients:
            await client.until(lambda client=client: client.at[room] == head)  # type: ignore[misc]
        moved = [client.welcome["node"] != node for client, node in zip(clients, nodes, strict=True)]
    assert sorted(moved) == [False, True], "who was on the other worker noticed nothing"
    wait_until(lambda: len(children_of(running.process.pid)) == WORKERS, "nobody took its place", REPLACED_S)
    until_all_serve(running)
    assert before[1] in children_of(running.process.pid)
    assert f"pid={before[0]}" in running.logged
    wait_until(lambda: re.search("a node is gone .*worker=2", running.logged), "no line says whose it is")
    assert "signal 9" in running.logged


def test_workers_go_with_their_parent(running: Running) -> None:
    pids = children_of(running.process.pid)
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not any(map(is_alive, pids)), "workers serve on without a parent", 10)


def test_metrics_are_of_all_workers_and_leave_out_one_that_sleeps(steady: Running) -> None:
    until_all_serve(steady)
    told = metrics(steady)
    assert told["hubchat_peers"] == {"1": WORKERS - 1, "2": WORKERS - 1}
    assert told["process_resident_memory_bytes"].keys() == {"1", "2"}
    asleep = children_of(steady.process.pid)[0]
    os.kill(asleep, signal.SIGSTOP)
    try:
        wait_until(lambda: list(_asked(steady)) == ["2"], "the other does not answer alone")
    finally:
        os.kill(asleep, signal.SIGCONT)
    until_all_serve(steady)


def test_the_port_is_taken_for_others(steady: Running, tmp_path: Path) -> None:
    other = Program(tmp_path / "other")
    said = one_line(other.run("serve", "--port", str(steady.port)))
    assert said == f"hubchat: port {steady.port} is taken; name another one by --port or HUBCHAT_PORT"


def test_a_second_hub_on_its_sqlite_file_is_refused(steady: Running) -> None:
    done = Program(steady.data).run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert f"process {steady.process.pid}" in one_line(done)


FALLING: Final = """
import os
import signal
from pathlib import Path

from hubchat import logs, workers

logs.set_up("info", "json")
begun = Path("begun")


def work(worker, ready, greets):
    if begun.exists():
        raise MemoryError
    ready()
    if worker.number == 2:
        begun.touch()
        os.kill(os.getpid(), 9)
    while True:
        signal.pause()


workers.run(2, work)
"""


def test_one_that_falls_again_and_again_is_started_after_longer_and_longer_pauses(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FALLING], cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        told = [json.loads(process.stderr.readline()) for _ in range(4)]
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert [line["worker"] for line in told] == [2] * 4
    assert [line["in_s"] for line in told] == [0.5, 1.0, 2.0, 4.0]
    assert [line["why"].splitlines()[0] for line in told] == ["signal 9", *["our fault: builtins.MemoryError"] * 3]


BEGUN: Final = """
import os
import signal
import time
from pathlib import Path

from hubchat import logs, workers

logs.set_up("info", "json")


def work(worker, ready, greets):
    ready()
    Path(f"{worker.number}-{os.getpid()}").touch()
    while True:
        signal.pause()


def work_but_fall(worker, ready, greets):
    if not Path("begun").exists() or worker.number == 1:
        work(worker, ready, greets)
    Path(f"fell-{os.getpid()}").touch()
    raise MemoryError


def refuse_once(name):
    real = getattr(os, name)

    def refuse():
        if Path("begun").exists() and not Path("refused").exists():
            Path("refused").touch()
            raise OSError(11, "Resource temporarily unavailable")
        return real()

    setattr(os, name, refuse)

"""


@contextmanager
def _begun(folder: Path, script: str) -> Iterator["subprocess.Popen[str]"]:
    """A parent of two that run, by what `script` adds to BEGUN."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-c", BEGUN + script],
        cwd=folder, env=buffered, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        wait_until(lambda: len(list(folder.glob("[12]-*"))) == 2 or process.poll() is not None, "no two begin")
        (folder / "begun").touch()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _pid_of(folder: Path, number: int) -> int:
    return int(max(folder.glob(f"{number}-*"), key=lambda path: path.stat().st_mtime_ns).name.partition("-")[2])


def test_a_log_that_nobody_reads_any_more_ends_neither_the_hub_nor_a_worker(tmp_path: Path) -> None:
    with _begun(tmp_path, "workers.run(2, work_but_fall)") as process:
        first, second = _pid_of(tmp_path, 1), _pid_of(tmp_path, 2)
        assert process.stderr is not None
        process.stderr.close()
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: len(list(tmp_path.glob("fell-*"))) >= 2 or process.poll() is not None, "no one follows")
        assert process.poll() is None
        assert is_alive(first)
        process.terminate()
        process.wait(30)
        assert not is_alive(first)


@pytest.mark.parametrize("lacking", ["fork", "pipe"])
def test_a_moment_without_a_process_to_have_is_waited_for(tmp_path: Path, lacking: str) -> None:
    with _begun(tmp_path, f"refuse_once({lacking!r})\nworkers.run(2, work)") as process:
        first, second = _pid_of(tmp_path, 1), _pid_of(tmp_path, 2)
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: _pid_of(tmp_path, 2) != second or process.poll() is not None, "nobody took its place")
        assert process.poll() is None
        assert (tmp_path / "refused").exists()
        assert is_alive(first)
        process.terminate()
        assert process.wait(30) == 0
        assert process.stderr is not None
        told = [json.loads(line) for line in process.stderr]
    assert [(line["worker"], line["in_s"]) for line in told] == [(2, 0.5), (2, 1.0)]
    assert told[1]["why"] == "resource temporarily unavailable"


SLOW: Final = """
def slow(worker, ready, greets):
    if Path("begun").exists():
        time.sleep(0.3)
        raise MemoryError
    work(worker, ready, greets)


workers.STEADY_S = 0.2
workers.run(2, slow)
"""


def test_one_that_takes_long_to_fail_its_start_is_not_taken_for_one_that_lived(tmp_path: Path) -> None:
    with _begun(tmp_path, SLOW) as process:
        time.sleep(0.3)  # the first one has lived, and is replaced at once
        os.kill(_pid_of(tmp_path, 2), signal.SIGKILL)
        assert process.stderr is not None
        told = [json.loads(process.stderr.readline()) for _ in range(3)]
        process.terminate()
        assert process.wait(30) == 0
    assert [line["in_s"] for line in told] == [0.0, 0.5, 1.0]


HASTY: Final = """
def hasty(worker, ready, greets):
    if worker.number == 1 and not Path("died").exists():
        ready()
        Path("died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    work(worker, ready, greets)


workers.run(2, hasty)
"""


def test_one_that_was_ready_and_died_before_the_last_one_was_is_replaced(tmp_path: Path) -> None:
    with _begun(tmp_path, HASTY) as process:
        process.terminate()
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert [json.loads(line)["why"] for line in process.stderr] == ["signal 9"]


def test_a_first_worker_for_which_there_is_no_process_is_said_in_one_line(tmp_path: Path) -> None:
    script = "Path('begun').touch()\nrefuse_once('fork')\nworkers.run(2, work)"
    done = subprocess.run(
        [sys.executable, "-c", BEGUN + script], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    told = "hubchat.workers.CannotStart: a worker can't be started: resource temporarily unavailable"
    assert done.stderr.splitlines()[-1] == told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"HUBCHAT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "the database can't be reached"),
        ({"HUBCHAT_HOST": "no-such-host.invalid"}, "is no address of this machine"),
    ],
)
def test_what_hinders_the_start_is_said_once_and_ends_all(
    hubchat: Program, settings: dict[str, str], said: str
) -> None:
    done = Program(hubchat.data, {**hubchat.environment, **settings}).run("serve", "--port", str(free_port()))
    assert done.returncode == 1
    assert said in one_line(done)


def test_a_folder_with_too_long_a_name_for_their_sockets_is_said_in_one_line(hubchat: Program, tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 20)
    folder.mkdir()
    done = Program(hubchat.data, {**hubchat.environment, "TMPDIR": str(folder)}).run("serve", "--port", "0")
    assert done.returncode == 1
    assert "set TMPDIR to another" in one_line(done)
    assert not list(folder.iterdir())


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://localhost:{port}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def _asked(running: Running) -> dict[str, float]:
    """What is answered within a moment; a worker that sleeps does not take who comes to it."""
    try:
        return metrics(running)["hubchat_connections"]
    except httpx2.TransportError:
        return {}
