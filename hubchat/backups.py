"""`hubchat backup` and `hubchat restore`: a hub as one file, taken while it runs, put back on either database.

The file is a tar.gz of MessagePack pages, inside age's encryption (age-encryption.org/v1) unless it is to be plain:
`hubchat.msgpack` says what it is, `TABLE/NUMBER.msgpack` holds columns and up to 1,000 rows, `end.msgpack` how many
rows each table has, by which a file that was cut is found out.
"""

import gzip
import io
import os
import tarfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
WRONG: Final = (ValueError, KeyError, TypeError)  # what is none of our pages
NOT_WHOLE: Final = "{} is no whole backup, or needs another key: {}"
CHUNK: Final = 1 << 20
PAGE_BYTES: Final = 256 << 20
"""No page of ours comes near it: 1,000 messages of 16 KB are 16 MB."""


class BackupError(OperatorError):
    """A backup can't be made, or read, as asked."""


# ---------------------------------------------------------------- out


async def back_up(database: Database, path: Path, recipients: Sequence[str]) -> Mapping[str, int]:
    """Writes a copy to `path`, encrypted to age's public keys (`age1…`), or plain without any; gives rows by table.

    Raises BackupError, Unavailable. What was written before something went wrong is removed.
    """
    keys = [_recipient(one) for one in recipients]
    if not await database.read(is_current):
        raise BackupError("there is no hub of this version in the database; start it once, or look with hubchat doctor")
    part = path.with_name(f"{path.name}.part")

    def copy(connection: Connection) -> Mapping[str, int]:
        with _told(path, "written"), _new_file(path, part) as file:
            rows = _write(connection, file, keys)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        return rows

    try:
        return await database.read(copy)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _new_file(path: Path, part: Path) -> Iterator[IO[bytes]]:
    """A file that nobody else may read, next to where it is to be."""
    if path.exists():
        raise BackupError(f"{path} is there already")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123  # by its mode
        yield file


def _write(connection: Connection, file: IO[bytes], keys: Sequence[Any]) -> dict[str, int]:
    with (
        _sealed(file, keys) as out,
        gzip.GzipFile(fileobj=out, mode="wb") as packed,
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


async def restore(database: Database, path: Path, identities: Sequence[str]) -> Mapping[str, int]:
    """Puts a copy back into an empty database; gives rows by table. `identities` are age's private keys.

    All of it or nothing. Raises BackupError, NotEmpty, SchemaNewer, Unavailable.
    """
    keys = [_identity(one) for one in identities]

    def put_back(connection: Connection) -> Mapping[str, int]:
        with _told(path, "read"), path.open("rb") as file:
            if not keys:
                _prove(file)
            return _read(connection, file, keys)

    return await database.write(put_back)


@contextmanager
def _told(path: Path, done: str) -> Iterator[None]:
    """Tells what is wrong with a file, before the database takes it for a fault of its own."""
    try:
        yield
    except (tarfile.TarError, zlib.error, EOFError, pyrage.DecryptError, msgpack.UnpackException, *WRONG) as error:
        raise BackupError(NOT_WHOLE.format(path, type(error).__name__)) from None
    except OSError as error:
        if error.strerror is None:  # gzip's and age's own
            raise BackupError(NOT_WHOLE.format(path, type(error).__name__)) from None
        raise BackupError(f"{path} can't be {done}: {error.strerror.lower()}") from None


def _prove(file: IO[bytes]) -> None:
    """Looks whether a plain file has the sum that it says, before anything of it is used; age's proves itself."""
    with gzip.GzipFile(fileobj=file) as packed:
        while packed.read(CHUNK):
            pass
    file.seek(0)


def _read(connection: Connection, file: IO[bytes], keys: Sequence[Any]) -> dict[str, int]:
    rows: Counter[str] = Counter()
    said: Mapping[str, int] | None = None
    with _opened(file, keys) as source, gzip.GzipFile(fileobj=source) as packed, _tar(packed) as tar:
        for entry in tar:
            content = _content(tar, entry)
            if entry.name == FIRST:
                if content["format"] != FORMAT:
                    raise BackupError(f"the backup has format {content['format']}: a newer hubchat made it")
                copies.begin_restore(connection, content["revision"])
            elif entry.name == LAST:
                said = content["rows"]
            else:
                name = entry.name.partition("/")[0]
                copies.put_back(connection, name, content["columns"], content["rows"])
                rows[name] += len(content["rows"])
    if said is None or any(rows[name] != count for name, count in said.items()) or rows.keys() - said.keys():
        raise EOFError
    copies.end_restore(connection)
    return dict(said)


@contextmanager
def _tar(packed: gzip.GzipFile) -> Iterator[tarfile.TarFile]:
    """Its files; at the end the rest is read too, by which its sum is proved."""
    with tarfile.open(fileobj=packed, mode="r|") as tar:
        yield tar
    while packed.read(CHUNK):
        pass


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Any:
    found = tar.extractfile(entry) if entry.isfile() and entry.size <= PAGE_BYTES else None
    if found is None:
        raise ValueError("no page")
    return msgpack.unpackb(found.read())


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
def _sealed(file: IO[bytes], keys: Sequence[Any]) -> Iterator[IO[bytes]]:
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
