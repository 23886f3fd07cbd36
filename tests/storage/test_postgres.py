"""Addresses of PostgreSQL, as operators write them, and what a server is told and asked because of them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from hubchat.settings import SettingsError
from hubchat.storage.database import Unavailable
from hubchat.storage.postgres import READ_ONLY, TLS_BROKEN, UNTRUSTED, PostgresDatabase
from hubchat.storage.postgres_address import read_address
from tests.servers import PostgresServer, free_port


@pytest.fixture(autouse=True)
def a_bare_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where libpq's files are looked for: there are none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("postgres://hub@db/hub", "postgresql+asyncpg://hub@db/hub"),
        ("postgresql://hub@/hub?host=/run/postgresql", "postgresql+asyncpg://hub@/hub?host=/run/postgresql"),
        ("postgresql://hub@db/hub?sslmode=require", "postgresql+asyncpg://hub@db/hub"),
        ("postgresql://hub@db/hub?port=1&ssl=require", "postgresql+asyncpg://hub@db/hub?port=1"),
        ("postgresql://hub@db:5433?dbname=other", "postgresql+asyncpg://hub@db:5433/other"),
    ],
)
def test_an_address_is_taken_as_other_programs_write_it(written: str, wanted: str) -> None:
    assert read_address(written).url.render_as_string().replace("%2F", "/") == wanted


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("@db:99999/hub", "port"),
        ("@db:0/hub", "port"),
        ("@db:abc/hub", "port"),
        ("@db/hub?port=abc", "port"),
        ("@db/hub?host=one,two&port=1,70000", "port"),
        ("@db..org/hub", "HOST"),
        ("@db/hub?foo=a-secret-word", "nothing else: host, port"),
        ("@db/hub?prepared_statement_cache_size=abc", "nothing else: host, port"),
        ("@db/hub?connect_timeout=soon", "connect_timeout is a number of seconds"),
        ("@db/hub?connect_timeout=0", "connect_timeout is a number of seconds"),
        ("@db/hub?application_name=", "application_name has no value"),
        ("@db/hub?target_session_attrs=standby", "target_session_attrs is one of any"),
        ("@db/hub?sslmode=", "sslmode has no value"),
        ("@db/hub?sslmode=verify_full", "sslmode is one of disable"),
        ("@db/hub?ssl=yes", "sslmode is one of disable"),
        ("@db/hub?sslmode=verify-full", "add sslrootcert=FILE, or sslrootcert=system"),
        ("@db/hub?sslmode=verify-ca", "add sslrootcert=FILE"),
        ("@db/hub?sslmode=require&sslrootcert=system", "sslmode=verify-full alone"),
        ("@db/hub?sslrootcert=FILE", "sslrootcert is looked at with sslmode=verify-full"),
        ("@db/hub?sslmode=verify-ca&sslrootcert=FILE", "sslrootcert is not what it should be"),
        ("@db/hub?sslmode=verify-ca&sslrootcert=/nowhere", "sslrootcert can't be read (no such file"),
        ("@db/hub?sslmode=require&sslcert=/nowhere", "sslcert or sslkey can't be read (no such file"),
        ("@db/hub?sslmode=require&sslcert=FILE&sslkey=FILE", "sslcert or sslkey is not what it should be"),
        ("@db/hub?sslmode=require&sslcrl=/nowhere", "sslcrl can't be read (no such file"),
    ],
)
def test_a_wrong_address_is_refused_by_what_is_wrong_and_without_its_values(
    a_bare_home: Path, rest: str, named: str
) -> None:
    file = a_bare_home / "letter"
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match=r"^HUBCHAT_DATABASE_URL: ") as told:
        read_address(f"postgresql://hub:a-secret-word{rest.replace('FILE', str(file))}")
    assert named in str(told.value)
    assert "a-secret-word" not in str(told.value)


def test_a_mode_of_the_environment_counts_as_one_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    with pytest.raises(SettingsError, match="add sslrootcert=FILE"):
        read_address("postgresql://hub@db/hub")
    assert read_address("postgresql://hub@db/hub?sslmode=prefer").options


async def test_a_name_and_a_time_to_connect_are_taken(shared_url: str) -> None:
    async with opened(f"{shared_url}?application_name=letters&connect_timeout=7") as database:
        assert await database.read(one("SHOW application_name")) == "letters"
    assert read_address(f"{shared_url}?connect_timeout=7").options == {"timeout": 7.0}
    async with opened(shared_url) as database:
        assert await database.read(one("SHOW application_name")) == "hubchat"


async def test_where_no_server_can_be_written_to_that_is_said(postgres: PostgresServer) -> None:
    name = postgres.create_database()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    url = postgres.url(name)
    assert await asked(f"{url}?target_session_attrs=any") == 1
    assert await refused(f"{url}?target_session_attrs=read-write") == READ_ONLY
    postgres.drop_database(name)


class Ends:
    """Files of an authority, and of what it signed for a hub."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.root = folder / "root.pem"
        self.cert, self.key = folder / "hub.pem", folder / "hub.key"
        self.authority.cert_pem.write_to_path(self.root)
        hub = self.authority.issue_cert("hub@example.org")
        hub.cert_chain_pems[0].write_to_path(self.cert)
        hub.private_key_pem.write_to_path(self.key)


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Ends:
    return Ends(tmp_path_factory.mktemp("ends"))


async def test_who_signed_the_certificate_is_asked_of_the_file_that_is_named(ends: Ends, shared_url: str) -> None:
    async with tls_before(shared_url, ends, "127.0.0.1") as url:
        for mode in ("require", "verify-ca", "verify-full"):
            assert await asked(f"{url}?sslmode={mode}&sslrootcert={ends.root}") == 1


async def test_another_authority_and_another_host_prove_nothing(ends: Ends, shared_url: str, tmp_path: Path) -> None:
    async with tls_before(shared_url, ends, "db.example.org") as url:
        assert await asked(f"{url}?sslmode=verify-ca&sslrootcert={ends.root}") == 1
        assert await refused(f"{url}?sslmode=verify-full&sslrootcert={ends.root}") == UNTRUSTED
        stranger = tmp_path / "stranger.pem"
        trustme.CA().cert_pem.write_to_path(stranger)
        for mode in ("require", "verify-ca"):
            assert await refused(f"{url}?sslmode={mode}&sslrootcert={stranger}") == UNTRUSTED
        assert await asked(f"{url}?sslmode=require") == 1  # as libpq does: encrypted, whoever it is


async def test_the_authorities_of_the_machine_are_taken_where_they_are_named(
    ends: Ends, shared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tls_before(shared_url, ends, "127.0.0.1") as url:
        asked_for = f"{url}?sslmode=verify-full&sslrootcert=system"
        assert await refused(asked_for) == UNTRUSTED
        monkeypatch.setenv("SSL_CERT_FILE", str(ends.root))
        assert await asked(asked_for) == 1
    async with tls_before(shared_url, ends, "db.example.org") as url:
        assert await refused(f"{url}?sslrootcert=system") == UNTRUSTED


async def test_the_file_in_the_home_is_found(ends: Ends, shared_url: str, a_bare_home: Path) -> None:
    (a_bare_home / ".postgresql").mkdir()
    (a_bare_home / ".postgresql" / "root.crt").write_bytes(ends.root.read_bytes())
    async with tls_before(shared_url, ends, "127.0.0.1") as url:
        assert await asked(f"{url}?sslmode=verify-full") == 1


@pytest.mark.parametrize("root", ["FILE", "system"])
async def test_the_hub_shows_its_own_certificate(
    ends: Ends, shared_url: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ends.root))
    async with tls_before(shared_url, ends, "127.0.0.1", wants_ours=True) as url:
        proven = f"{url}?sslmode=verify-full&sslrootcert={root.replace('FILE', str(ends.root))}"
        assert await asked(f"{proven}&sslcert={ends.cert}&sslkey={ends.key}") == 1
        assert await refused(proven) in ("", TLS_BROKEN)  # an end of OpenSSL hangs up, or says why


async def test_a_server_that_speaks_something_else_than_tls_is_told() -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.readexactly(8)
            writer.write(b"S")
            await reader.read(1)
            writer.write(b"550 what?" * 10)

    port = free_port()
    async with await asyncio.start_server(mumble, "127.0.0.1", port):
        assert await refused(f"postgresql://hub@127.0.0.1:{port}/hub?sslmode=require") == TLS_BROKEN


def one(statement: str) -> Callable[[sa.Connection], object]:
    return lambda connection: connection.execute(sa.text(statement)).scalar_one()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(url)
    try:
        yield database
    finally:
        await database.close()


async def asked(url: str) -> object:
    async with opened(url) as database:
        return await database.read(one("SELECT 1"))


async def refused(url: str) -> str:
    """Why nothing can be asked there."""
    async with opened(url) as database:
        with pytest.raises(Unavailable) as told:
            await database.read(one("SELECT 1"))
    return told.value.cause


@asynccontextmanager
async def tls_before(url: str, ends: Ends, host: str, *, wants_ours: bool = False) -> AsyncIterator[str]:
    """The address of an end of TLS before a PostgreSQL, with a certificate for `host`: the tests' own speaks none."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ends.authority.issue_cert(host).configure_cert(context)
    if wants_ours:
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the refusal may come after the greeting
        context.verify_mode = ssl.CERT_REQUIRED
        ends.authority.configure_trust(context)
    there = sa.make_url(url)
    port = free_port()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            assert (await reader.readexactly(8))[4:] == b"\x04\xd2\x16\x2f"  # SSLRequest
            writer.write(b"S")
            await writer.start_tls(context)
            far_reader, far_writer = await asyncio.open_connection(there.host, there.port)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with await asyncio.start_server(carry, "127.0.0.1", port):
        yield there.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
