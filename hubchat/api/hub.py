"""What anybody may know about this hub before signing in."""

from typing import Final, Literal

from typing_extensions import TypedDict

from hubchat import __version__
from hubchat.api.endpoint import Ask, Endpoint


class HubShown(TypedDict):
    name: str
    guests: bool
    signup: Literal["open", "invited", "closed"]
    demo: bool
    version: str


async def show_hub(ask: Ask) -> HubShown:
    settings = ask.node.settings
    return {
        "name": settings.name,
        "guests": settings.guests,
        "signup": settings.signup,
        "demo": False,
        "version": __version__,
    }


ROUTES: Final = (Endpoint("GET", "/hub", show_hub, gives=HubShown),)
