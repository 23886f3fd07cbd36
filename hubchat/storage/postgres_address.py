"""What HUBCHAT_DATABASE_URL says of a PostgreSQL: read as libpq and psql read it, told as asyncpg wants it.

No server is asked, but files that it names are looked into, so that a wrong address is told before anything is begun.
"""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import urlencode

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from hubchat.settings import SettingsError

MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
PROVING: Final = MODES[3:]  # those of them that may look who signed the server's certificate
TLS: Final = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslpassword")
SYSTEM: Final = "system"  # as sslrootcert: the authorities that the machine trusts
ATTRIBUTES: Final = ("any", "primary", "read-write")
PLAIN: Final = ("host", "port", "user", "password", "passfile", "target_session_attrs")  # asyncpg's names too
KNOWN: Final = (*PLAIN, "dbname", "application_name", "connect_timeout", *TLS)


class Address(NamedTuple):
    """Where the database is, and what else `asyncpg.connect` takes, as far as the address says it."""

    url: sa.URL
    options: dict[str, Any]  # Any: of many types
    settings: dict[str, str]
    """What the server is told of this session."""


def read_address(url: str) -> Address:
    """Raises SettingsError with what is wrong, never with a value."""
    try:
        made = sa.make_url(url.replace("postgres://", "postgresql://", 1), keep_blank_values=True)
    except (ValueError, ArgumentError):
        _refuse_shape()
    made = made.set(drivername="postgresql+asyncpg")
    given = {name: value if isinstance(value, str) else value[-1] for name, value in made.query.items()}
    if "ssl" in given:  # asyncpg's own word
        given["sslmode"] = given.pop("ssl")
    if given.keys() - KNOWN:
        _refuse(f"after its ? these can be set, and nothing else: {', '.join(KNOWN)}")
    if empty := [name for name in KNOWN if given.get(name) == ""]:
        _refuse(f"{empty[0]} has no value")
    if given.get("target_session_attrs", "any") not in ATTRIBUTES:
        _refuse(f"target_session_attrs is one of {', '.join(ATTRIBUTES)}")
    made = made.set(query={name: value for name, value in made.query.items() if name in PLAIN})
    if "dbname" in given:
        made = made.set(database=given["dbname"])
    _require_places(made)
    settings = {name: given[name] for name in ("application_name",) if name in given}
    return Address(made, _timeout(given) | _tls(given), settings)


def _require_places(url: sa.URL) -> None:
    """Raises SettingsError for ports that are none, and for names that no resolver takes."""
    try:
        _, found = url.get_dialect()().create_connect_args(url)
        hosts, ports = (value if isinstance(value, list) else [value] for value in map(found.get, ("host", "port")))
        for host in hosts:
            if host is not None and not host.startswith("/"):
                host.encode("idna")
    except (ValueError, ArgumentError):  # a UnicodeError is one
        _refuse_shape()
    if any(port is not None and not 0 < port <= 65535 for port in (*ports, url.port)):  # SQLAlchemy leaves out a 0
        _refuse_shape()


def _timeout(given: Mapping[str, str]) -> dict[str, Any]:
    told = given.get("connect_timeout")
    if told is None:
        return {}
    if not re.fullmatch("[1-9][0-9]{0,3}", told):
        _refuse("connect_timeout is a number of seconds, 1 or more")
    return {"timeout": float(told)}


def _tls(given: Mapping[str, str]) -> dict[str, Any]:
    """How the server is proven, and the hub to it.

    asyncpg reads an address of its own as libpq does, with PGSSLROOTCERT and its like, and the files in ~/.postgresql;
    so what was given is handed on as one. What it does not know is `system`.
    """
    asked = {name: given[name] for name in TLS if name in given}
    told = {name: os.environ.get(f"PG{name.upper()}", "") for name in TLS} | asked
    root = told["sslrootcert"]
    mode = told["sslmode"] or ("verify-full" if root == SYSTEM else "prefer")
    if mode not in MODES:
        _refuse(f"sslmode is one of {', '.join(MODES)}")
    if root == SYSTEM and mode != "verify-full":
        _refuse(
            "sslrootcert=system goes with sslmode=verify-full alone: anybody has a certificate of those authorities"
        )
    if "sslrootcert" in asked and mode not in PROVING:
        _refuse("sslrootcert is looked at with sslmode=verify-full (or verify-ca, require): add it")
    if mode.startswith("verify") and not root and not _in_home("root.crt"):
        system = ", or sslrootcert=system for those whom this machine trusts" if mode == "verify-full" else ""
        _refuse(f"sslmode={mode} needs who signed the server's certificate: add sslrootcert=FILE{system}")
    proven = _context(told)
    if root == SYSTEM:
        return {"ssl": proven}
    return {"dsn": f"postgresql://?{urlencode(asked)}"} if asked else {}


def _context(told: Mapping[str, str]) -> ssl.SSLContext:
    """Loads every file that is named. Raises SettingsError for one that can't be."""
    root = told["sslrootcert"]
    name = "sslrootcert"
    try:
        context = ssl.create_default_context(cafile=None if root == SYSTEM else root or None)
        if told["sslcrl"]:
            name = "sslcrl"
            context.load_verify_locations(cafile=told["sslcrl"])
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        if told["sslcert"]:
            name = "sslcert or sslkey"
            key = told["sslkey"] or _in_home("postgresql.key")
            context.load_cert_chain(told["sslcert"], key, password=lambda: told["sslpassword"])
    except ssl.SSLError:
        _refuse(f"the file of {name} is not what it should be: certificates and keys in PEM, which fit each other")
    except OSError as error:
        _refuse(f"the file of {name} can't be read ({(error.strerror or type(error).__name__).lower()})")
    return context


def _in_home(name: str) -> str | None:
    """A file where libpq looks for it, if it is there."""
    try:
        file = Path.home() / ".postgresql" / name
    except (RuntimeError, KeyError):  # a user without a home
        return None
    return str(file) if file.exists() else None


def _refuse_shape() -> NoReturn:
    _refuse("want postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with a port from 1 to 65535 or none")


def _refuse(what: str) -> NoReturn:
    raise SettingsError(f"HUBCHAT_DATABASE_URL: {what}") from None
