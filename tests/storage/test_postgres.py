"""Addresses of databases, as operators write them and as the driver wants them."""

import pytest

from hubchat.storage.postgres import asyncpg_url


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("postgres://hub@db/hub", "postgresql+asyncpg://hub@db/hub"),
        ("postgresql://hub@/hub?host=/run/postgresql", "postgresql+asyncpg://hub@/hub?host=/run/postgresql"),
        ("postgresql://hub@db/hub?sslmode=verify-full", "postgresql+asyncpg://hub@db/hub?ssl=verify-full"),
        ("postgresql://hub@db/hub?port=1&ssl=require", "postgresql+asyncpg://hub@db/hub?port=1&ssl=require"),
    ],
)
def test_an_address_is_taken_as_other_programs_write_it(written: str, wanted: str) -> None:
    assert asyncpg_url(written).render_as_string().replace("%2F", "/") == wanted
