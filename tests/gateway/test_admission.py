"""Who was let in while somebody's sign-in ended is asked again; over lines that are no sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubchat.actions.tokens import make_token
from hubchat.gateway.admission import Admitted
from hubchat.gateway.session import Session
from hubchat.storage.database import Unavailable
from tests.community import Community, open_community
from tests.lines import Line, Lines


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Community]:
    async with open_community(f"sqlite:///{tmp_path / 'hub.db'}", tmp_path) as community:
        yield community


async def open_late(hub: Community, token: str | None = None) -> Line:
    """A line of a member's that was admitted before the access channel moved on."""
    ana = await hub.member("ana")
    if token is None:
        token, _ = await make_token(hub.node, ana.account_id, "story")
    admission = Lines(hub.node).admission
    line = Line()
    admitted = Admitted(ana, ("token", token), hub.node.hub.access_epoch - 1)
    session: Session = admission.open(line, admitted)  # type: ignore[arg-type]  # a Link, as far as it is used
    line.session = session
    return line


async def test_who_is_still_signed_in_stays(hub: Community) -> None:
    line = await open_late(hub)
    assert "time" in await line.do("ping")
    assert line.closed_with is None


async def test_whose_sign_in_has_ended_is_told_so(hub: Community) -> None:
    line = await open_late(hub, "never made")
    assert await line.until(lambda: line.closed_with) == 4001


async def test_while_nobody_can_tell_one_is_not_signed_out(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_key: object) -> None:
        raise Unavailable

    monkeypatch.setattr(hub.node.callers, "get", away)
    line = await open_late(hub)
    assert await line.until(lambda: line.closed_with) == 1012
