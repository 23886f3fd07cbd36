"""Idempotency-Key: the same POST again is the same POST."""

import asyncio

import pytest
import sqlalchemy as sa

from hubchat.api import repeats
from hubchat.api.answers import Json
from hubchat.errors import HubError
from hubchat.storage.database import OutcomeUnknown
from hubchat.storage.sessions import Caller
from tests.serving import Served


class Post:
    """A POST that counts how often it was carried out."""

    def __init__(self, hub: Served) -> None:
        self.node = hub.node
        self.done = 0
        self.fails: HubError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(
        self, caller: Caller, key: str = "k", path: str = "/x", body: bytes = b"{}"
    ) -> tuple[int, bytes]:
        answer = await repeats.once(self.node, caller, key, path, body, self._carry_out)
        return answer.status_code, bytes(answer.body)

    async def _carry_out(self) -> Json:
        self.done += 1
        await self.gate.wait()
        if self.fails:
            raise self.fails
        return Json({"made": self.done}, status_code=201)


@pytest.fixture
async def post(hub: Served) -> Post:
    return Post(hub)


async def test_the_same_again_gets_the_same_answer_and_happens_once(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    first = await post(ana)
    assert first == (201, b'{"made":1}')
    assert await post(ana) == first
    assert post.done == 1


async def test_another_caller_path_or_key_is_another_post(hub: Served, post: Post) -> None:
    ana, ben = await hub.community.members("ana", "ben")
    await post(ana)
    await post(ben)
    await post(ana, path="/y")
    await post(ana, key="other")
    assert post.done == 4


async def test_another_body_under_the_same_key_is_a_conflict(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    await post(ana)
    with pytest.raises(HubError, match="key_reused"):
        await post(ana, body=b'{"x":1}')
    assert post.done == 1


async def test_of_two_at_once_one_is_carried_out_and_the_other_comes_again(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    post.gate.clear()
    first = asyncio.create_task(post(ana))
    while not post.done:
        await asyncio.sleep(0.001)
    for _ in range(3):
        with pytest.raises(HubError, match="outcome_unknown"):
            await post(ana)
    post.gate.set()
    assert await first == await post(ana) == (201, b'{"made":1}')
    assert post.done == 1


async def test_what_was_refused_may_be_tried_again_under_its_key(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    post.fails = HubError("slug_taken")
    with pytest.raises(HubError, match="slug_taken"):
        await post(ana)
    post.fails = None
    assert await post(ana) == (201, b'{"made":2}')


async def test_what_may_have_been_stored_is_not_tried_again_for_a_minute(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    post.fails = OutcomeUnknown()
    with pytest.raises(OutcomeUnknown):
        await post(ana)
    post.fails = None
    with pytest.raises(HubError, match="outcome_unknown"):
        await post(ana)
    await _let_pass(hub, 60_001)
    assert await post(ana) == (201, b'{"made":2}')


async def test_after_a_day_a_key_is_forgotten(hub: Served, post: Post) -> None:
    ana = await hub.community.member("ana")
    await post(ana)
    await _let_pass(hub, 24 * 3_600_000 - 60_000)
    assert await post(ana) == (201, b'{"made":1}')
    await _let_pass(hub, 60_001)
    assert await post(ana) == (201, b'{"made":2}')


async def test_no_answer_with_a_secret_is_kept(hub: Served) -> None:
    ana = await hub.member("ana")
    headers = {"Idempotency-Key": "k"}
    for path, form in (("me/tokens", {"name": "x"}), ("me/recovery-codes", {})):
        first, again = [(await ana.post(path, json=form, headers=headers)).json() for _ in range(2)]
        assert first != again
    query = sa.text("SELECT count(*) FROM idempotency")
    assert await hub.node.database.read(lambda connection: connection.execute(query).scalar_one()) == 0


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_key_that_is_none_is_named(hub: Served, post: Post, key: str) -> None:
    ana = await hub.community.member("ana")
    with pytest.raises(HubError) as refused:
        await post(ana, key=key)
    assert list(refused.value.fields or {}) == ["Idempotency-Key"]


async def _let_pass(hub: Served, ms: int) -> None:
    earlier = sa.text("UPDATE idempotency SET at = at - :ms")
    await hub.node.log.write(lambda tx: tx.connection.execute(earlier, {"ms": ms}))
