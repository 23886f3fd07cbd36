"""`hubchat doctor`: looks at what a hub stands on, changes nothing, and says of what is wrong what to do."""

import asyncio
import os
import resource
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from hubchat.addresses import advise, home
from hubchat.channels.bus import Signal
from hubchat.channels.encoded import Encoded
from hubchat.errors import OperatorError
from hubchat.folder import FolderError, is_open_to_others, try_folder
from hubchat.logs import set_up
from hubchat.otlp import TracesMissing, is_installed
from hubchat.settings import Settings
from hubchat.storage.database import Unavailable, new_id, now_ms
from hubchat.storage.looks import NONE, Look, explain, look
from hubchat.storage.opening import open_database
from hubchat.storage.postgres import READ_ONLY
from hubchat.storage.sqlite import SqliteDatabase

DISK_BYTES: Final = 1 << 30  # a busy hub writes some 100 MB a day: a week's warning
FILES: Final = 4_096  # each connection is one; an ordinary machine grants this much
SKEW_MS: Final = 2_000  # beyond it, entries of several machines lie out of order for those who read their times
WORKERS_A_CORE: Final = 4  # a worker fills a core when it is busy; some more than there are cores do no harm
ANSWER_S: Final = 2.0
MEND: Final = "mend the setting; docs/operating.md has them all"
BUILT: Final = datetime(2026, 11, 1, tzinfo=UTC)  # a clock before this release is wrong


class Finding(NamedTuple):
    """One thing that was looked at. `todo` is empty where all is well."""

    subject: str
    said: str
    todo: str = ""


def examine(read_settings: Callable[[], Settings]) -> bool:
    """Prints a line for each thing; whether all is well."""
    set_up("critical", "text")
    findings = list(_findings(read_settings))
    for finding in findings:
        print(f"{'wrong' if finding.todo else 'ok':6}{finding.subject}: {finding.said}")
        if finding.todo:
            print(f"      {finding.todo}")
    return not any(finding.todo for finding in findings)


def _findings(read_settings: Callable[[], Settings]) -> Iterator[Finding]:
    try:
        settings = read_settings()
    except OperatorError as error:
        yield Finding("settings", str(error), MEND)
        return
    yield from settings_found(settings)
    yield from machine_found(settings)
    if settings.traces is not None and not is_installed():
        yield Finding("traces", TracesMissing.said, TracesMissing.todo)
    yield folder_found(settings)
    yield from asyncio.run(database_found(settings))
    if settings.redis_url is not None:
        yield asyncio.run(bus_found(settings.redis_url))
    yield port_found(settings)
    yield files_found()


def settings_found(settings: Settings) -> list[Finding]:
    """What may not be as expected; where there is nothing, the hub's address."""
    if told := [Finding("settings", *one) for one in advise(settings)]:
        return told
    said = f"the hub is at {home(settings, settings.port).url}"
    return [
        Finding("settings", said + (" (HUBCHAT_URL is not set: this machine alone)" if settings.url is None else ""))
    ]


def machine_found(settings: Settings) -> list[Finding]:
    """What is set beyond this machine; nothing where all fits."""
    cores, memory_bytes = os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    told = []
    if settings.workers > WORKERS_A_CORE * cores:
        todo = f"set HUBCHAT_WORKERS to {cores}, one a core: more take memory and turns from each other"
        told.append(Finding("machine", f"{settings.workers} workers share {cores} cores", todo))
    hashing_bytes = settings.argon2_memory_kib * 1024 * settings.password_threads
    for bytes_each, what, name in (
        (hashing_bytes, "hashing passwords", "HUBCHAT_ARGON2_MEMORY_KIB and HUBCHAT_PASSWORD_THREADS"),
        (settings.recent_bytes, "keeping newest entries", "HUBCHAT_RECENT_BYTES"),
    ):
        if (wanted := bytes_each * settings.workers) > memory_bytes:
            said = f"{what} may take {wanted >> 20:,} MB, and there are {memory_bytes >> 20:,}"
            told.append(Finding("machine", said, f"lower {name}: a hub without memory is ended by the system"))
    return told


def folder_found(settings: Settings) -> Finding:
    folder = settings.data
    try:
        try_folder(folder)
    except FolderError as error:
        return Finding("data folder", error.said, error.todo)
    if not folder.exists():
        return Finding("data folder", f"{folder} is not there yet; the first start makes it")
    if is_open_to_others(folder):
        return Finding("data folder", f"others may look into {folder}", f"chmod 700 {folder}")
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES:
        return Finding("data folder", f"{free >> 20} MB are free on its disk", "make room: a full disk stops the hub")
    return Finding("data folder", f"{folder} is writable, {free >> 30} GB free")


async def database_found(settings: Settings) -> list[Finding]:
    """Whether the database answers, with a schema that this hubchat knows, and whether its clock agrees with ours."""
    try:
        database = open_database(settings.database_url, settings.data)
    except FolderError as error:
        return [Finding("database", error.said, error.todo), clock_found(None)]
    except OperatorError as error:
        return [Finding("database", str(error), MEND), clock_found(None)]
    kind = "SQLite" if isinstance(database, SqliteDatabase) else "PostgreSQL"
    try:
        if isinstance(database, SqliteDatabase) and not os.access(database.path, os.F_OK):  # asked, it would be made
            return [Finding("database", f"{kind}; not there yet, the first start makes it"), clock_found(None)]
        if isinstance(database, SqliteDatabase) and not os.access(database.path, os.W_OK):  # reading would go well
            raise Unavailable("SQLITE_READONLY")
        seen = await database.read(look)
        if seen.is_read_only:
            raise Unavailable(READ_ONLY)
    except Unavailable as error:
        return [Finding("database", *explain(error)), clock_found(None)]
    finally:
        await database.close()
    if not seen.is_known:
        todo = "install that hubchat, or restore a backup made by this one"
        return [Finding("database", f"{kind}, schema {seen.schema} of a newer hubchat", todo), clock_found(seen)]
    said = "no hub was started on it yet" if seen.schema == NONE else f"schema {seen.schema}"
    if seen.unindexed:
        said += f"; search has {seen.unindexed:,} entries to read yet, which a hub that runs does"
    return [Finding("database", f"{kind} answers, {said}"), clock_found(seen)]


async def bus_found(url: str) -> Finding:
    """Whether Redis carries something from this machine to itself."""
    from hubchat.channels.redis_bus import RedisBus  # as in node.py: only where there is Redis
    from hubchat.channels.redis_servers import servers_at

    try:
        bus = RedisBus(servers_at(url), log_id=0, node=new_id())
    except OperatorError as error:
        return Finding("bus", str(error), MEND)
    await bus.open(_Deaf())
    try:
        if bus.is_ok:
            return Finding("bus", "Redis answers, and carries what is said")
        todo = "see that it runs, and HUBCHAT_REDIS_URL; the hub goes on without it, up to 3 s behind between nodes"
        return Finding("bus", "Redis can't be reached, or lets nobody in", todo)
    finally:
        await bus.close()


class _Deaf:
    """Nothing that comes over the bus concerns us."""

    def offer(self, batch: Sequence[Encoded]) -> None: ...

    def gapped(self, channels: Collection[int] | None) -> None: ...

    def heard(self, node: int, channel: int, signal: Signal) -> None: ...


def clock_found(seen: Look | None) -> Finding:
    now = datetime.now(UTC)
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    todo = "set this machine's clock, best by NTP: times of entries and ends of sessions hang on it"
    if now < BUILT:
        return Finding("clock", f"{said} is before this release", todo)
    if seen is not None and abs(seen.now_ms - now_ms()) > SKEW_MS:
        return Finding("clock", f"{said}, {abs(seen.now_ms - now_ms()) // 1000} s away from the database's", todo)
    return Finding("clock", said)


def port_found(settings: Settings) -> Finding:
    """Whether the port is free, or a hub listens there."""
    subject = f"port {settings.port}"
    try:
        there = socket.create_connection((settings.host, settings.port), timeout=ANSWER_S)
    except ConnectionRefusedError:
        return Finding(subject, "free; no hub is running there")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        return Finding(
            subject, f"{settings.host} can't be asked: {why}", "see HUBCHAT_HOST: an address of this machine"
        )
    with there:
        if _is_hub(there):
            return Finding(subject, "a hub is running there")
    return Finding(subject, "another program has it", "end that program, or set HUBCHAT_PORT")


def _is_hub(there: socket.socket) -> bool:
    try:
        there.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return there.recv(16).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def files_found() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        todo = f"raise it to {FILES} or more: `ulimit -Hn` or LimitNOFILE= of the service; each connection is a file"
        return Finding("open files", f"at most {hard}", todo)
    return Finding("open files", "as many as wanted" if hard == resource.RLIM_INFINITY else f"up to {hard}")
