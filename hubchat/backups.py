"""`hubchat backup` and `hubchat restore`: a hub as one file, taken while it runs, put back on either database.

The file is a tar.gz of MessagePack pages, inside age's encryption (age-encryption.org/v1) unless it is to be plain:
`hubchat.msgpack` says what it is, `TABLE/NUMBER.msgpack` holds columns and up to 1,000 rows, `end.msgpack` how many
rows each table has, by which a file that was cut is found out.
"""

import gzip
import io
import os
import tarfile
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import msgpack
import pyrage

from hubchat import __version__
from hubchat.errors import OperatorError
from hubchat.storage import copies
from hubchat.storage.database import Connection, Database
from hubchat.storage.schema import is_current, read_hub

FORMAT: Final = 1
FIRST, LAST = "hubchat.msgpack", "end.msgpack"
NOT_WHOLE: Final = "{} is no whole backup, or needs another key: {}"
CHUNK: Final = 1 << 20  # read at once where only the end matters
LEVEL: Final = 6  # of gzip's nine: the last three take a quarter more time for nothing
PAGE_BYTES: Final = 128 << 20
"""Of one page: 1,000 messages of 16 KB characters, four bytes each, are half of it."""


class BackupError(OperatorError):
    """A backup can't be made, or read, as asked."""


# ---------------------------------------------------------------- out


async def back_up(database: Database, path: Path, recipients: Sequence[str]) -> Mapping[str, int]:
    """Writes a copy to `path`, encrypted to age's public keys (`age1…`), or plain without any; gives rows by table.

    The file is there once it is whole, and never takes another's place. Raises BackupError, Unavailable.
    """
    keys = [_recipient(one) for one in recipients]
    if not await database.read(is_current):
        raise BackupError("there is no hub of this version in the database; start it once, or look with hubchat doctor")

    def copy(connection: Connection) -> Mapping[str, int]:
        with _new_file(path) as file:
            return _write(connection, file, keys)

    return await database.read(copy)


class _File:
    """A file that keeps what went wrong with it: age's library makes something else of that, or nothing."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.failed: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.failed = self.failed or error
            raise

    def flush(self) -> None:
        """For whoever writes through it; `finish` brings it to the disk."""

    def finish(self) -> None:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self.failed = self.failed or error


@contextmanager
def _new_file(path: Path) -> Iterator[_File]:
    """A file for its owner alone, which takes its name when it is whole. Raises BackupError."""
    if path.exists():
        raise BackupError(f"{path} is there already")
    try:
        made = tempfile.NamedTemporaryFile(dir=path.parent, prefix=".hubchat-backup-", delete=False)  # noqa: SIM115
    except OSError as error:
        raise _not_written(path, error) from None
    file = _File(made.file)
    try:
        with made:
            try:
                yield file
                file.finish()
            except Exception:
                if file.failed is None:
                    raise
            if file.failed is not None:
                raise _not_written(path, file.failed)
        _name(Path(made.name), path)
    finally:
        Path(made.name).unlink(missing_ok=True)


def _name(made: Path, path: Path) -> None:
    """Gives a whole file its name, unless another has it by now."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # a link would ask more of a disk than a stick has
        try:
            made.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)  # it is empty, and would pass for a backup
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise BackupError(f"{path} is there already") from None
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> BackupError:
    return BackupError(f"{path} can't be written: {(error.strerror or type(error).__name__).lower()}")


def _write(connection: Connection, file: _File, keys: Sequence[Any]) -> dict[str, int]:
    with (
        _sealed(file, keys) as out,
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=LEVEL) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        revision = copies.begin_copy(connection)
        made_by = {"version": __version__, "made_at": datetime.now(UTC).isoformat(timespec="seconds")}
        log = read_hub(connection, "log")
        _add(tar, FIRST, {"format": FORMAT, "revision": revision, "log": log, **made_by})
        rows: Counter[str] = Counter()
        for name, columns in copies.copied_tables():
            rows[name] = 0
            for number, page in enumerate(copies.read_pages(connection, name)):
                _add(tar, f"{name}/{number:08}.msgpack", {"columns": columns, "rows": page})
                rows[name] += len(page)
        _add(tar, LAST, {"rows": dict(rows)})
    return dict(rows)


def _add(tar: tarfile.TarFile, name: str, content: Any) -> None:
    data = msgpack.packb(content)
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o600
    tar.addfile(entry, io.BytesIO(data))


# ---------------------------------------------------------------- in


async def restore(
    database: Database, path: Path, identities: Sequence[str], then: Callable[[Connection], object] | None = None
) -> Mapping[str, int]:
    """Puts a copy back into an empty database; gives rows by table. `identities` are age's private keys.

    `then` is the last thing of its transaction. All of it or nothing. Raises BackupError, NotEmpty, SchemaNewer,
    Unavailable.
    """
    keys = [_identity(one) for one in identities]

    def put_back(connection: Connection) -> Mapping[str, int]:
        with closing(_pages(path, keys)) as pages:
            try:
                rows = _put_back(connection, pages)
            except ValueError:
                raise BackupError(f"{path} holds what no hubchat wrote") from None
        if then is not None:
            then(connection)
        return rows

    done = await database.write(put_back)
    await database.tidy()
    return done


Pages = Generator[tuple[str, dict[str, Any]], None, None]
"""Names and contents."""


def _put_back(connection: Connection, pages: Pages) -> Mapping[str, int]:
    """Raises ValueError for what is none of ours."""
    name, first = next(pages, ("", {}))
    if name != FIRST or not isinstance(first.get("revision"), str):
        raise ValueError("does not begin as ours do")
    if first.get("format") != FORMAT:
        raise BackupError(f"the backup has format {first.get('format')}: a newer hubchat made it")
    places = copies.begin_restore(connection, first["revision"])
    rows: Counter[str] = Counter()
    for name, content in pages:
        if name == LAST:
            said = content.get("rows")
            if not isinstance(said, dict) or {table: count for table, count in said.items() if count} != rows:
                raise ValueError("not all of it is here")
            break
        table = name.partition("/")[0]
        columns: list[str] = _list_of(str, content.get("columns"))
        page: list[copies.Row] = _list_of(list, content.get("rows"))
        copies.put_back(connection, places, table, columns, page)
        rows[table] += len(page)
    else:
        raise ValueError("it has no end")
    for _ in pages:
        raise ValueError("it goes on after its end")
    copies.end_restore(connection)
    return said


def _list_of(kind: type, value: Any) -> list[Any]:
    if not isinstance(value, list) or not all(isinstance(one, kind) for one in value):
        raise ValueError("no page")
    return value


def _pages(path: Path, keys: Sequence[Any]) -> Pages:
    """What was written, in its order. Raises BackupError, at the end too, for a file that is not whole."""
    try:
        with path.open("rb") as file:
            if not keys:
                _prove(file)
            with _opened(file, keys) as source, gzip.GzipFile(fileobj=source) as packed:
                with tarfile.open(fileobj=packed, mode="r|") as tar:
                    for entry in tar:
                        yield entry.name, _content(tar, entry)
                while packed.read(CHUNK):  # to the end, where the sum is
                    pass
    except (tarfile.TarError, zlib.error, EOFError, pyrage.DecryptError, msgpack.UnpackException, ValueError) as error:
        raise BackupError(NOT_WHOLE.format(path, type(error).__name__)) from None
    except OSError as error:
        if error.strerror is None:  # gzip's and age's own
            raise BackupError(NOT_WHOLE.format(path, type(error).__name__)) from None
        raise BackupError(f"{path} can't be read: {error.strerror.lower()}") from None


def _prove(file: IO[bytes]) -> None:
    """Looks whether a plain file has the sum that it says, before anything of it is used; age's proves itself."""
    with gzip.GzipFile(fileobj=file) as packed:
        while packed.read(CHUNK):
            pass
    file.seek(0)


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> dict[str, Any]:
    found = tar.extractfile(entry) if entry.isfile() and entry.size <= PAGE_BYTES else None
    content = msgpack.unpackb(found.read()) if found is not None else None
    if not isinstance(content, dict):
        raise ValueError("no page")
    return content


# ---------------------------------------------------------------- age


def read_identities(path: Path) -> list[str]:
    """The private keys of a file as `age-keygen` writes it. Raises BackupError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupError(f"{path} can't be read: {type(error).__name__}") from None
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise BackupError(f"{path} holds no private key of age")
    return keys


def _recipient(key: str) -> Any:
    try:
        return pyrage.x25519.Recipient.from_str(key.strip())
    except pyrage.RecipientError:
        raise BackupError("a public key looks like age1…; `age-keygen` makes one") from None


def _identity(key: str) -> Any:
    try:
        return pyrage.x25519.Identity.from_str(key.strip())
    except pyrage.IdentityError:
        raise BackupError("a private key looks like AGE-SECRET-KEY-1…") from None


@contextmanager
def _sealed(file: _File, keys: Sequence[Any]) -> Iterator[Any]:  # Any: something to write to, a file or not
    """What is written here goes into `file`, encrypted if there are keys; nothing of it touches a disk in the clear."""
    if not keys:
        yield file
        return
    with _beside(lambda source: pyrage.encrypt_io(source, file, keys), "r") as sink:
        yield sink


@contextmanager
def _opened(file: IO[bytes], keys: Sequence[Any]) -> Iterator[IO[bytes]]:
    """What `file` holds, decrypted if there are keys. Raises DecryptError, or at its end OSError if it is not whole."""
    if not keys:
        yield file
        return
    with _beside(lambda sink: pyrage.decrypt_io(file, sink, keys), "w") as source:
        yield source


@contextmanager
def _beside(work: Callable[[IO[bytes]], None], side: str) -> Iterator[IO[bytes]]:
    """Runs `work` in a thread at the other end of a pipe; what it raises is raised at the end."""
    read, write = os.pipe()
    theirs, ours = (read, write) if side == "r" else (write, read)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(theirs, f"{side}b") as end:
                work(end)
        except BaseException as error:  # noqa: BLE001  # handed over
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    broken: BaseException | None = None
    with suppress(BrokenPipeError), os.fdopen(ours, "wb" if side == "r" else "rb") as end:  # its cause is in `failed`
        try:
            yield end
        except BaseException as error:  # noqa: BLE001  # raised below, unless the other side has the cause
            broken = error
    thread.join()
    if failed and not isinstance(failed[0], BrokenPipeError):
        raise failed[0]
    if broken is not None:
        raise broken
