"""A hub as one file: taken while it runs, put back on either database, whole or not at all."""

import asyncio
import contextlib
import errno
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pyrage
import pytest
import sqlalchemy as sa

from hubchat import backups
from hubchat.actions.operator import act_as
from hubchat.actions.tokens import make_token
from hubchat.backups import BackupError, back_up, restore
from hubchat.channels.items import Delete, Edit, React
from hubchat.storage.copies import NotEmpty, copied_tables, read_pages
from hubchat.storage.database import Database
from hubchat.storage.opening import open_database
from hubchat.storage.schema import SchemaNewer, read_hub
from tests.community import Community, open_community
from tests.servers import PostgresServer

KEY = pyrage.x25519.Identity.generate()
PUBLIC, PRIVATE = str(KEY.to_public()), str(KEY)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database to restore into."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'restored.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create_database()
    yield server.url(name)
    server.drop_database(name)


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path) -> Any:
    database = open_database(url, folder)
    try:
        yield database
    finally:
        await database.close()


async def contents(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables, but for which history it is."""

    def read(connection: sa.Connection) -> dict[str, list[Any]]:
        return {name: [row for page in read_pages(connection, name) for row in page] for name, _ in copied_tables()}

    found = await database.read(read)
    found["hub"] = [row for row in found["hub"] if row[0] != "log"]
    return found


async def live_a_little(hub: Community) -> int:
    """Members, a group, and a message of every fate."""
    ana, ben = await hub.members("ana", "ben")
    room = await hub.group(ana, "closed", ben)
    kept, edited, gone = [await hub.say(ana, room, text) for text in ("é 👋 مرحبا", "befor", "taken back")]
    log, as_ana, as_ben = hub.node.log, (ana.account_id, ana.persona_id), (ben.account_id, ben.persona_id)
    await log.append(lambda done: React(*as_ben, room, done, kept, "👍", True))
    await log.append(lambda done: Edit(*as_ana, room, done, edited, "before"))
    await log.append(lambda done: Delete(*as_ana, room, done, gone))
    await make_token(hub.node, ana.account_id, "a bot")
    return room


@pytest.mark.parametrize(("recipients", "identities"), [([PUBLIC], [PRIVATE]), ([], [])], ids=["encrypted", "plain"])
async def test_what_was_copied_is_put_back_on_either_database_as_another_history(
    database_url: str, empty_url: str, tmp_path: Path, recipients: list[str], identities: list[str]
) -> None:
    file = tmp_path / "hub.backup"
    async with open_community(database_url, tmp_path) as hub:
        room = await live_a_little(hub)
        copied = await back_up(hub.node.database, file, recipients)
        before = await contents(hub.node.database)
        log = await hub.read(lambda connection: read_hub(connection, "log"))
    assert file.stat().st_mode & 0o777 == 0o600
    assert (b"before" in _unpacked(file)) == (not recipients)
    async with opened(empty_url, tmp_path) as database:
        assert await restore(database, file, identities) == copied
        assert await contents(database) == before
    async with open_community(empty_url, tmp_path) as hub:
        assert await hub.read(lambda connection: read_hub(connection, "log")) != log
        ana = await act_as(hub.node, "ana")
        head = max(row[1] for row in before["entry"] if row[0] == room)
        assert await hub.say(ana, room, "and on it goes") == head + 1


def _unpacked(file: Path) -> bytes:
    """All that can be read of a file without a key."""
    with contextlib.suppress(tarfile.TarError), tarfile.open(file) as tar:
        return b"".join(tar.extractfile(entry).read() for entry in tar)  # type: ignore[union-attr]  # all are files
    return file.read_bytes()


async def test_a_copy_taken_while_members_write_is_of_one_moment(
    database_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubchat.storage.copies.PAGE", 7)
    file = tmp_path / "hub.backup"
    async with open_community(database_url, tmp_path) as hub:
        [ana] = await hub.members("ana")
        room = await hub.group(ana)
        for number in range(40):
            await hub.say(ana, room, f"text {number}")
        writing = asyncio.create_task(_write_on(hub, ana, room))
        await back_up(hub.node.database, file, [])
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    async with opened(empty_url, tmp_path) as database:
        await restore(database, file, [])
        found = await contents(database)
    heads = {row[0]: row[_column("channel", "head")] for row in found["channel"]}
    seqs = [row[1] for row in found["entry"] if row[0] == room]
    assert seqs == list(range(1, heads[room] + 1))


async def _write_on(hub: Community, ana: Any, room: int) -> None:
    while True:
        await hub.say(ana, room)


def _column(table: str, name: str) -> int:
    return dict(copied_tables())[table].index(name)


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """A plain copy of a small hub."""
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        await live_a_little(hub)
        await back_up(hub.node.database, tmp_path / "small.backup", [])
    return tmp_path / "small.backup"


async def is_empty(database: Database) -> bool:
    return await database.read(lambda connection: not sa.inspect(connection).get_table_names())


async def test_a_file_that_was_cut_or_changed_puts_nothing_back(backup: Path, empty_url: str, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 0xFF
    broken = tmp_path / "broken"
    async with opened(empty_url, tmp_path) as database:
        for data in (b"", b"garbage", whole[: len(whole) // 2], whole[:-20], bytes(changed), _without_end(whole)):
            broken.write_bytes(data)
            with pytest.raises(BackupError):
                await restore(database, broken, [])
            assert await is_empty(database), len(data)


def _without_end(whole: bytes) -> bytes:
    """As if it was written to its end, but for what says so."""
    return _repacked(whole, lambda name, content: None if name == "end.msgpack" else content)


def _repacked(whole: bytes, change: Any) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(whole)) as source, tarfile.open(fileobj=made, mode="w:gz") as target:
        for entry in source:
            content = change(entry.name, msgpack.unpackb(source.extractfile(entry).read()))  # type: ignore[union-attr]
            if content is not None:
                entry.name = content.pop("renamed", entry.name)
                data = msgpack.packb(content)
                entry.size = len(data)
                target.addfile(entry, io.BytesIO(data))
    return made.getvalue()


Change = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def in_page(table: str, **more: Any) -> Change:
    """Changes the pages of a table."""
    return lambda name, made: {**made, **more} if name.startswith(f"{table}/") else made


def renamed(table: str, to: str) -> Change:
    """Puts the rows of a table elsewhere."""
    return lambda name, made: {**made, "renamed": f"{to}/0"} if name.startswith(f"{table}/") else made


HOSTILE: dict[str, tuple[Change, type[Exception]]] = {
    "of another format": (lambda name, made: {**made, "format": 2} if "format" in made else made, BackupError),
    "of a newer schema": (lambda name, made: {**made, "revision": "9999"} if "revision" in made else made, SchemaNewer),
    "with SQL for a column": (in_page("account", columns=['id") SELECT 1; --']), BackupError),
    "with an unknown column": (in_page("account", columns=["id", "superuser"], rows=[[1, 1]]), BackupError),
    "with columns that are lists": (in_page("account", columns=[["id"]], rows=[[1]]), BackupError),
    "with short rows": (in_page("account", rows=[[1]]), BackupError),
    "with rows that are none": (in_page("account", rows=7), BackupError),
    "with a number that no database holds": (in_page("hub", rows=[["log", 2**63]]), BackupError),
    "for a table of the server's": (renamed("account", "pg_authid"), BackupError),
    "for an unknown table": (renamed("account", "no_such_table"), BackupError),
    "for the schema's own table": (renamed("account", "alembic_version"), BackupError),
    "that begins with rows": (lambda name, made: None if "revision" in made else made, BackupError),
    "with a wrong sum": (lambda name, made: {"rows": {"account": 9}} if name == "end.msgpack" else made, BackupError),
    "with a sum that is none": (lambda name, made: {"rows": [1]} if name == "end.msgpack" else made, BackupError),
}


@pytest.mark.parametrize(("change", "raised"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_file_of_another_kind_is_told_and_puts_nothing_back(
    backup: Path, empty_url: str, tmp_path: Path, change: Change, raised: type[Exception]
) -> None:
    backup.write_bytes(_repacked(backup.read_bytes(), change))
    async with opened(empty_url, tmp_path) as database:
        with pytest.raises(raised):
            await restore(database, backup, [])
        assert await is_empty(database)


class Full(io.RawIOBase):
    """A disk that takes a little, then nothing."""

    room = 100

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)


@pytest.mark.parametrize("recipients", [[PUBLIC], []], ids=["encrypted", "plain"])
async def test_a_full_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipients: list[str]
) -> None:
    kept = backups._File
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        await live_a_little(hub)
        before = set(tmp_path.iterdir())
        monkeypatch.setattr(backups, "_File", lambda _file: kept(Full()))  # type: ignore[arg-type]  # as far as it is used
        with pytest.raises(BackupError, match="no space left on device"):
            await back_up(hub.node.database, tmp_path / "new", recipients)
        assert set(tmp_path.iterdir()) == before


async def test_two_copies_to_one_name_are_one_and_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        await live_a_little(hub)
        monkeypatch.setattr(Path, "exists", lambda path: False)  # both looked before either was done
        made = [back_up(hub.node.database, tmp_path / "new", []) for _ in range(2)]
        done = await asyncio.gather(*made, return_exceptions=True)
    assert {type(one) for one in done} == {BackupError, dict}
    monkeypatch.undo()
    async with opened(f"sqlite:///{tmp_path / 'restored.db'}", tmp_path) as database:
        assert (await restore(database, tmp_path / "new", []))["account"] == 2


async def test_another_ones_key_opens_nothing(empty_url: str, tmp_path: Path) -> None:
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        await back_up(hub.node.database, tmp_path / "hub.backup", [PUBLIC])
    other = str(pyrage.x25519.Identity.generate())
    async with opened(empty_url, tmp_path) as database:
        for keys in ([other], []):
            with pytest.raises(BackupError):
                await restore(database, tmp_path / "hub.backup", keys)
        assert await is_empty(database)
        with pytest.raises(BackupError, match="AGE-SECRET-KEY"):
            await restore(database, tmp_path / "hub.backup", [PUBLIC])


async def test_a_hub_is_never_written_over_and_nor_is_a_file(backup: Path, tmp_path: Path) -> None:
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as hub:
        with pytest.raises(NotEmpty):
            await restore(hub.node.database, backup, [])
        with pytest.raises(BackupError, match="is there already"):
            await back_up(hub.node.database, backup, [])
        with pytest.raises(BackupError, match="can't be written"):
            await back_up(hub.node.database, tmp_path / "no" / "such" / "folder", [])
        with pytest.raises(BackupError, match="age1"):
            await back_up(hub.node.database, tmp_path / "new", ["age1nothing"])
    assert not (tmp_path / "new").exists()


async def test_a_database_without_a_hub_can_not_be_copied(empty_url: str, tmp_path: Path) -> None:
    async with opened(empty_url, tmp_path) as database:
        with pytest.raises(BackupError, match="no hub"):
            await back_up(database, tmp_path / "new", [])
