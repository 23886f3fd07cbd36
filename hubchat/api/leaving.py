"""My data: taken along as a file, and taken away for good."""

from collections.abc import AsyncIterator
from typing import IO, Final, Literal, NotRequired

from starlette.responses import Response, StreamingResponse
from typing_extensions import TypedDict

from hubchat.actions import erasures, exports
from hubchat.actions.erasures import HOURS
from hubchat.actions.proofs import require_password_kept
from hubchat.api.answers import Json
from hubchat.api.asking import take_cookie
from hubchat.api.endpoint import Ask, Endpoint
from hubchat.api.forms import Form
from hubchat.storage import belongings
from hubchat.storage.database import Connection
from hubchat.storage.erasures import read_orphans

CHUNK: Final = 64 << 10
GROUPS: Final = 100  # named; more are counted by `groups`


class PassedOn(TypedDict):
    """A group that nobody else owns: it goes to its moderator who is there longest, else to the hub's."""

    id: int
    title: str


class GoingShown(TypedDict):
    """How many things of the account there are, each by a word; and the groups that pass on."""

    going: dict[str, int]
    groups: list[PassedOn]
    within_hours: int
    messages: NotRequired[Literal["erase", "keep_without_name"]]


class Leave(Form):
    """`messages`: whether what one wrote goes as well, or stays without one's name."""

    messages: Literal["erase", "keep_without_name"]


async def export(ask: Ask) -> Response:
    """Everything of the member as a zip of JSON and one readable page; none of others' words."""
    file, size = await exports.export(ask.node, ask.member.account_id)
    headers = {"Content-Disposition": 'attachment; filename="hubchat-export.zip"', "Content-Length": str(size)}
    return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)


async def preview_erasure(ask: Ask) -> GoingShown:
    """What would go with the account, before anybody decides."""
    account_id = ask.member.account_id

    def read(connection: Connection) -> GoingShown:
        groups: list[PassedOn] = [
            {"id": id, "title": title} for id, title in read_orphans(connection, account_id, GROUPS)
        ]
        going = belongings.count_things(connection, account_id)
        return {"going": going, "groups": groups, "within_hours": HOURS}

    return await ask.node.database.read(read)


async def erase(ask: Ask, form: Leave) -> Response:
    """Ends every sign-in at once; everything else is gone within a day, usually in seconds. There is no way back."""
    await require_password_kept(ask.node, ask.member)
    shown = await preview_erasure(ask)
    shown["going"] = await erasures.begin(ask.node, ask.member.account_id, form.messages)
    shown["messages"] = form.messages
    answer = Json(shown, status_code=202)
    take_cookie(answer, ask.here)
    answer.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return answer


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while data := file.read(CHUNK):
            yield data


ROUTES: Final = (
    Endpoint("GET", "/me/export", export, scope="account", confirmed=True, withdrawn=True),
    Endpoint("GET", "/me/erasure", preview_erasure, scope="account", withdrawn=True, gives=GoingShown),
    Endpoint(
        "DELETE", "/me", erase,
        scope="account", confirmed=True, withdrawn=True, takes=Leave, gives=GoingShown, status=202,
    ),
)  # fmt: skip
