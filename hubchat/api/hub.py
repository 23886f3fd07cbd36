"""What anybody may know about this hub before signing in."""

from typing import Final, Literal, NotRequired
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from hubchat import __version__
from hubchat.api.asking import cookie_of
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.demo.story import read_people
from hubchat.storage.database import Connection
from hubchat.storage.people import read_person


class DemoMember(TypedDict):
    id: int
    handle: str
    name: str


class HubShown(TypedDict):
    """`guests`: whether people without an account read public groups; nothing else is theirs.

    A demo has members whom anybody may be, and a second address, whose cookies are its own.

    `keep_days`: what is said is forgotten after so many days, everywhere; null: it is not.
    `session`: this browser brought the cookie of a session, which may have ended. Without one there is nobody to ask
    after: a page need not ask who it is, and be refused.
    """

    name: str
    guests: bool
    signup: Literal["open", "invited", "closed"]
    contact: str | None
    imprint: str | None
    emergency: str | None
    minimum_age: int
    keep_days: int | None
    demo: bool
    version: str
    session: bool
    demo_members: NotRequired[list[DemoMember]]
    other_url: NotRequired[str]


async def show_hub(ask: Ask) -> HubShown:
    settings = ask.node.house.now
    shown: HubShown = {
        "name": settings.name,
        "guests": settings.guests,
        "signup": settings.signup,
        "contact": settings.contact,
        "imprint": settings.imprint,
        "emergency": settings.emergency,
        "minimum_age": settings.minimum_age,
        "keep_days": settings.keep_days or None,
        "demo": settings.demo,
        "version": __version__,
        "session": bool(cookie_of(ask.request, ask.here.cookie)),
    }
    if settings.demo:
        shown["demo_members"] = await _read_demo_members(ask)
        if settings.url is None:
            shown["other_url"] = _other_url(ask)
    return shown


async def _read_demo_members(ask: Ask) -> list[DemoMember]:
    """Whoever of the invented people is still there, under the name that they go by now."""
    handles = [one.handle for one in read_people() if not one.bot]

    def read(connection: Connection) -> list[DemoMember]:
        found = (read_person(connection, handle) for handle in handles)
        return [{"id": one.id, "handle": one.handle, "name": one.name} for one in found if one and not one.gone]

    return await ask.node.database.read(read)


def _other_url(ask: Ask) -> str:
    """The loopback address that was not asked: two members side by side in one browser."""
    here = urlsplit(f"//{ask.request.headers['host']}")
    return f"http://{'127.0.0.1' if here.hostname == 'localhost' else 'localhost'}:{here.port or 80}"


ROUTES: Final = (Endpoint("GET", "/hub", show_hub, gives=HubShown),)
