"""Every setting, its default and its unit: `HUBCHAT_…` in the environment, or `hubchat.toml` in the data folder."""

import os
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hubchat.errors import OperatorError
from hubchat.journal import NAME as JOURNAL

PositiveInt = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0)]
"""A limit; 0 means none."""


CHANGEABLE: Final = ("guests", "signup", "contact", "imprint", "emergency", "minimum_age")
"""What administrators change while the hub runs, as far as no operator has set it where the hub runs."""

NOT_THE_HUBS: Final = ("test_", "skip_frontend", "dev_hub", "corpus")
"""How names in HUBCHAT_ begin that the build and the tests look for."""


class SettingsError(OperatorError):
    """A setting is wrong; the message names it and the shape of its value, never the value."""


class Settings(BaseSettings):
    """What an operator may set. Secrets (database and Redis addresses) are never printed."""

    model_config = SettingsConfigDict(env_prefix="HUBCHAT_", extra="ignore", frozen=True)

    data: Path = Field(default=Path("data"), description="the data folder; made with mode 0700")
    url: str | None = Field(
        default=None, description="the hub's one address, as members type it; unset: loopback at the port served"
    )
    name: str = Field(default="hubchat", description="what this hub is called", max_length=60)
    database_url: str | None = Field(
        default=None, repr=False, description="postgresql://…; unset: SQLite in the data folder"
    )
    redis_url: str | None = Field(
        default=None,
        repr=False,
        description="redis://…, redis+sentinel://… or redis+cluster://…, rediss… with TLS; unset: one node",
    )
    host: str = Field(default="localhost", description="the address, or name for several, to listen on")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8000, description="the port to listen on")
    workers: PositiveInt = Field(default=1, description="processes on the port; several need Redis")
    demo: bool = Field(default=False, description="the demo community, in DATA/demo, on loopback alone")
    signup: Literal["open", "invited", "closed"] = Field(default="open", description="who may make an account")
    guests: bool = Field(default=True, description="whether people without an account read public groups")
    minimum_age: Annotated[int, Field(ge=0, le=99)] = Field(
        default=16, description="how old one has to be to sign up, in years"
    )
    keep_days: Limit = Field(default=0, description="days that what is said is kept; 0: as long as its group")
    erasures: Path | None = Field(
        default=None, description="the journal of erased ids; unset: erasures.jsonl in the data folder"
    )
    jobs: bool = Field(default=True, description="whether serve does background work; if not, hubchat jobs must run")
    contact: str | None = Field(default=None, max_length=200, description="whom members and guests turn to")
    imprint: str | None = Field(default=None, max_length=4_000, description="who runs this hub, as the law asks")
    emergency: str | None = Field(
        default=None, max_length=60, description="the number for emergencies, shown with help"
    )
    newcomer_limits: bool = Field(
        default=True, description="whether accounts from open sign-up have limits on their first day"
    )
    trusted_proxies: str = Field(
        default="", description="addresses or networks, by commas, whose X-Forwarded-For and -Proto count"
    )
    metrics_token: str | None = Field(
        default=None, repr=False, min_length=16, description="who asks /metrics has to send it; unset: loopback alone"
    )
    commands_per_10s: Limit = Field(default=100, description="commands a connection may send in 10 s; 0: no limit")
    searches_per_10s: Limit = Field(default=30, description="searches of one caller in 10 s; 0: no limit")
    connections_per_member: Limit = Field(default=20, description="live connections of one member; 0: no limit")
    connections_per_address: Limit = Field(default=200, description="live connections of one address; 0: no limit")
    password_threads: PositiveInt = Field(default=1, description="passwords hashed at once")
    password_queue: PositiveInt = Field(default=64, description="sign-ins that may wait for it; more: unavailable")
    argon2_memory_kib: Annotated[int, Field(ge=8)] = Field(default=65536, description="Argon2id memory a hash, KiB")
    argon2_passes: PositiveInt = Field(default=3, description="Argon2id passes")
    recent_bytes: PositiveInt = Field(default=64 << 20, description="bytes kept of busy channels' newest entries")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged")
    log_format: Literal["text", "json"] = Field(default="text", description="how it is logged")
    traces: str | None = Field(
        default=None, repr=False, description="an OpenTelemetry collector, http(s)://host:4318; unset: no traces"
    )
    traces_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.01, description="how much of all that happens is traced, 0 to 1"
    )

    @property
    def journal(self) -> Path:
        """Where ids of what was erased are written down."""
        return self.erasures or self.data / JOURNAL

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for one in filter(None, map(str.strip, value.split(","))):
            try:
                ip_network(one)
            except ValueError:
                raise ValueError("want addresses or networks, by commas: 127.0.0.1, 10.0.0.0/8") from None
        return value

    @field_validator("name")
    @classmethod
    def _a_name(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("want a name of 1 to 60 signs; leave it out for `hubchat`")
        return value.strip()

    @field_validator("url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        plain = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("want http(s)://HOST[:PORT] and nothing after it")
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @field_validator("traces")
    @classmethod
    def _a_collector(cls, value: str | None) -> str | None:
        if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("want http(s)://HOST:PORT, where a collector takes OTLP over HTTP")
        return value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme = urlsplit(value).scheme
        is_file = scheme == "sqlite" and value.partition("///")[2].strip("/") != ""
        if scheme not in ("postgresql", "postgres") and not is_file:
            raise ValueError("want postgresql://… or sqlite:///…")
        return value

    @field_validator("redis_url")
    @classmethod
    def _a_redis(cls, value: str | None) -> str | None:
        kind, _, how = urlsplit(value or "redis:").scheme.partition("+")
        if kind not in ("redis", "rediss", "unix") or how not in ("", "sentinel", "cluster"):
            raise ValueError("want redis://…, rediss://…, unix://…, redis+sentinel://… or redis+cluster://…")
        return value


def load(**given: Any) -> Settings:
    """Settings from, in this order: `given` (command line; None counts as not given), environment, hubchat.toml.

    Raises SettingsError with one line for each wrong setting.
    """
    _require_known(os.environ)
    given = {name: value for name, value in given.items() if value is not None}
    try:
        folder = Settings(**({"data": given["data"]} if "data" in given else {})).data
        found = Settings(**{**_from_file(folder / "hubchat.toml"), **given})
    except ValidationError as error:
        raise SettingsError("; ".join(_shape(part) for part in error.errors(include_input=False))) from None
    if found.workers > 1:
        _require_workers(found)
    return found


def _require_workers(settings: Settings) -> None:
    """Raises SettingsError where several processes would not hear each other, or each would do what one should."""
    name = "HUBCHAT_WORKERS"
    if settings.demo:
        raise SettingsError(f"{name}: the demo runs in one process; leave --workers out")
    if settings.redis_url is None:
        raise SettingsError(f"{name}: several processes need Redis between them: set HUBCHAT_REDIS_URL")


def _from_file(path: Path) -> dict[str, Any]:
    """What hubchat.toml says and the environment does not."""
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name} can't be read: {type(error).__name__}") from None
    names = {name.lower().removeprefix("hubchat_"): value for name, value in told.items()}
    if unknown := sorted(names.keys() - Settings.model_fields.keys()):
        raise SettingsError(f"in {path.name}: {'; '.join(map(_unknown, unknown))}")
    environment = {name.upper() for name in os.environ}
    return {name: value for name, value in names.items() if f"HUBCHAT_{name.upper()}" not in environment}


def _require_known(environment: Iterable[str]) -> None:
    """Raises SettingsError for a name that is none of ours: misspelt, it could leave open what is to be closed."""
    prefix = "HUBCHAT_"
    names = {name.upper().removeprefix(prefix).lower() for name in environment if name.upper().startswith(prefix)}
    unknown = [name for name in sorted(names - Settings.model_fields.keys()) if not name.startswith(NOT_THE_HUBS)]
    if unknown:
        raise SettingsError("; ".join(_unknown(prefix + name.upper()) for name in unknown))


def _unknown(name: str) -> str:
    """`name` as it was written, and the setting that may have been meant."""
    known = list(Settings.model_fields)
    near = get_close_matches(name.lower().removeprefix("hubchat_"), known, n=1)
    if not near:
        return f"{name} is no setting"
    meant = f"HUBCHAT_{near[0].upper()}" if name.isupper() else near[0]
    return f"{name} is no setting; {meant} is one"


def _shape(part: Any) -> str:
    name = "HUBCHAT_" + "_".join(str(step) for step in part["loc"]).upper()
    return f"{name}: {part['msg'].removeprefix('Value error, ')}"
