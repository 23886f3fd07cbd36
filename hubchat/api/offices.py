"""For administrators: the house's settings, accounts, what was done, how the hub is. Nothing of any group."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hubchat import __version__, access
from hubchat.access import HubRole
from hubchat.actions import offices
from hubchat.api.answers import time_of
from hubchat.api.cursors import make_cursor, read_cursor
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form, Page
from hubchat.api.people import PersonShown, show_person
from hubchat.storage import nodes
from hubchat.storage.audit import NEWEST, Audited, read_audit
from hubchat.storage.database import Connection
from hubchat.storage.offices import EARLIEST, AccountRow, find_accounts
from hubchat.storage.schema import read_revision

Line = Annotated[str, Field(max_length=200)]


class HouseShown(TypedDict):
    """`asked`: an administrator has decided about them. `fixed`: set where the hub runs, and not to be changed here."""

    guests: bool
    signup: Literal["open", "invited", "closed"]
    contact: str | None
    imprint: str | None
    emergency: str | None
    minimum_age: int
    asked: bool
    fixed: list[str]


class HouseChanged(Form):
    """What is not given stays; an empty `contact`, `imprint` or `emergency` is taken away."""

    guests: bool | None = None
    signup: Literal["open", "invited", "closed"] | None = None
    contact: Line | None = None
    imprint: Annotated[str, Field(max_length=4_000)] | None = None
    emergency: Annotated[str, Field(max_length=60)] | None = None
    minimum_age: Annotated[int, Field(ge=0, le=99)] | None = None


class AccountShown(TypedDict):
    """`trusted`: no newcomer's limits. `withdrawn`: took a consent back, and may only export and delete itself."""

    person: PersonShown
    role: HubRole
    state: Literal["active", "withdrawn", "disabled"]
    trusted: bool
    created_at: str


class AccountsShown(TypedDict):
    items: list[AccountShown]
    next: str | None


class AccountsPage(Page):
    q: Annotated[str, Field(min_length=1, max_length=60)] | None = None


class RoleGiven(Form):
    role: Literal["member", "moderator", "admin"]


class AuditedShown(TypedDict):
    """`actor`: None is the hub itself, or somebody gone. What it was done to is a person, or has the id `subject`."""

    id: int
    at: str
    actor: PersonShown | None
    action: str
    person: PersonShown | None
    subject: int | None


class AuditShown(TypedDict):
    items: list[AuditedShown]
    next: str | None


class NodeShown(TypedDict):
    """`silent_ms`: for how long it has not said that it lives. `here`: the one that answers."""

    id: int
    silent_ms: int
    bus: bool
    here: bool


class DatabaseShown(TypedDict):
    kind: Literal["sqlite", "postgresql"]
    version: str
    schema: str | None


class HealthShown(TypedDict):
    """How the hub is; `bus` is None where it is one node. `waiting`: messages that wait for their commit here."""

    version: str
    database: DatabaseShown
    bus: Literal["up", "down"] | None
    nodes: list[NodeShown]
    waiting: int


async def show_house(ask: Ask) -> HouseShown:
    """What members and guests may, whom they turn to, and what of it is set where the hub runs."""
    _require(ask)
    return _show_house(ask)


async def change_house(ask: Ask, form: HouseChanged) -> HouseShown:
    """Holds on every node within a second; guests that may read no more are gone then."""
    given: dict[str, Any] = {name: value for name, value in form if value is not None}
    words = {name: value.strip() or None for name, value in given.items() if isinstance(value, str)}
    await offices.change_house(ask.node, ask.member, {**given, **words})
    return _show_house(ask)


def _show_house(ask: Ask) -> HouseShown:
    house = ask.node.house
    now = house.now
    return {
        "guests": now.guests,
        "signup": now.signup,
        "contact": now.contact,
        "imprint": now.imprint,
        "emergency": now.emergency,
        "minimum_age": now.minimum_age,
        "asked": house.asked,
        "fixed": sorted(house.fixed),
    }


async def list_accounts(ask: Ask, page: AccountsPage) -> AccountsShown:
    """By handle or name, the oldest first; never by group."""
    _require(ask)
    place = read_cursor(page.cursor, 2)
    after = EARLIEST if place is None else (place[0], place[1])
    found = await ask.node.database.read(
        lambda connection: find_accounts(connection, page.q, limit=page.limit + 1, after=after)
    )
    last = found[page.limit - 1] if len(found) > page.limit else None
    items = [_show_account(one) for one in found[: page.limit]]
    return {"items": items, "next": make_cursor(last.created_at, last.person.id) if last else None}


def _show_account(one: AccountRow) -> AccountShown:
    return {
        "person": show_person(one.person),
        "role": one.role,
        "state": one.state,
        "trusted": one.trusted,
        "created_at": time_of(one.created_at),
    }


async def disable(ask: Ask) -> None:
    """Ends their sign-ins and connections at once."""
    await offices.disable(ask.node, ask.member, _handle(ask))


async def enable(ask: Ask) -> None:
    await offices.enable(ask.node, ask.member, _handle(ask))


async def set_role(ask: Ask, form: RoleGiven) -> None:
    """The last administrator stays one."""
    await offices.set_role(ask.node, ask.member, _handle(ask), form.role)


async def list_audit(ask: Ask, page: Page) -> AuditShown:
    """Who did what for the hub, the newest first, without words; nothing of any group."""
    _require(ask)
    place = read_cursor(page.cursor, 2)
    before = NEWEST if place is None else (place[0], place[1])
    found = await ask.node.database.read(lambda connection: read_audit(connection, limit=page.limit + 1, before=before))
    last = found[page.limit - 1] if len(found) > page.limit else None
    items = [_show_audited(one) for one in found[: page.limit]]
    return {"items": items, "next": make_cursor(last.at, last.id) if last else None}


def _show_audited(one: Audited) -> AuditedShown:
    return {
        "id": one.id,
        "at": time_of(one.at),
        "actor": show_person(one.actor) if one.actor else None,
        "action": one.action,
        "person": show_person(one.person) if one.person else None,
        "subject": one.subject_id,
    }


async def show_health(ask: Ask) -> HealthShown:
    """Of nobody and no group."""
    _require(ask)
    node = ask.node

    def read(connection: Connection) -> tuple[list[nodes.Peer], str, str | None]:
        return nodes.read_nodes(connection), nodes.read_server_version(connection), read_revision(connection)

    peers, version, schema = await node.database.read(read)
    shown: list[NodeShown] = [
        {"id": one.id, "silent_ms": max(0, one.silent_ms), "bus": one.is_bus_ok, "here": one.id == node.id}
        for one in peers
    ]
    is_up: Literal["up", "down"] = "up" if node.hub.bus.is_ok else "down"
    return {
        "version": __version__,
        "database": {"kind": node.database.dialect, "version": version, "schema": schema},
        "bus": None if node.peers is None else is_up,
        "nodes": shown or [{"id": node.id, "silent_ms": 0, "bus": True, "here": True}],
        "waiting": node.log.waiting,
    }


def _require(ask: Ask) -> None:
    access.require_office("administer", ask.member.hub_role)


def _handle(ask: Ask) -> str:
    return ask.word("handle").lower()


ACCOUNT: Final = "/admin/accounts/{handle}"
ROUTES: Final = (
    Endpoint("GET", "/admin/settings", show_house, scope="admin", gives=HouseShown),
    Endpoint("PATCH", "/admin/settings", change_house, scope="admin", takes=HouseChanged, gives=HouseShown),
    Endpoint("GET", "/admin/accounts", list_accounts, scope="admin", takes=AccountsPage, gives=AccountsShown),
    Endpoint("POST", ACCOUNT + "/disable", disable, scope="admin"),
    Endpoint("POST", ACCOUNT + "/enable", enable, scope="admin"),
    Endpoint("PUT", ACCOUNT + "/role", set_role, scope="admin", takes=RoleGiven),
    Endpoint("GET", "/admin/audit", list_audit, scope="admin", takes=Page, gives=AuditShown),
    Endpoint("GET", "/admin/health", show_health, scope="admin", gives=HealthShown),
)
