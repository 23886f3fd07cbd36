"""How a live connection begins: dialects, who it is, compression, and the hub's first word."""

import time

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode

from tests.blackbox.client import Dialect
from tests.blackbox.hub import DIALECTS, Hub
from tests.blackbox.raw import Raw
from tests.blackbox.shapes import check_fault

SETTINGS = {"HUBCHAT_COMMANDS_PER_10S": "100"}
LIMITS = {
    "message_bytes": 16384, "frame_bytes": 65536, "subscriptions": 500, "commands_per_10s": 100, "open_commands": 64,
}  # fmt: skip


async def refusal(hub: Hub, headers: dict[str, str | None]) -> tuple[int, str]:
    """Status and reason with which the hub refuses a connection, in the shape of every refusal."""
    async with await Raw.open(hub.running.port, headers) as raw:
        assert raw.headers["content-type"].split(";")[0] == "application/json"
        check_fault(raw.status, raw.headers, raw.body)
        return raw.status, raw.body["error"]["reason"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_hub_speaks_first_and_says_who_one_is(hub: Hub, dialect: Dialect) -> None:
    anna = await hub.member("anna")
    line = await anna.live(dialect=dialect)
    assert line.ws.subprotocol == f"hubchat.v1.{dialect}"
    assert line.welcome["user"] == {
        "id": anna.id, "handle": anna.handle, "name": "Anna", "role": "member", "inbox": anna.inbox,
    }  # fmt: skip
    assert line.welcome["limits"] == LIMITS
    assert abs(line.welcome["time"] - time.time() * 1000) < 60_000


async def test_a_guest_is_welcomed_as_nobody_to_the_same_log(hub: Hub) -> None:
    guest, anna = await hub.browser(), await hub.member()
    as_guest, as_anna = await guest.live(), await anna.live()
    assert as_guest.welcome["user"] is None
    assert as_guest.welcome["log"] == as_anna.welcome["log"]
    assert as_guest.welcome["node"] == as_anna.welcome["node"]


async def test_both_dialects_say_the_same(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    packed, readable = await anna.live(group, dialect="msgpack"), await anna.live(group, dialect="json")
    await packed.send(group, "Grüße, 你好, שלום 👋🏽")
    await packed.until_heard()
    await readable.until_heard()
    assert packed.heard == readable.heard


@pytest.mark.parametrize("offered", [None, "chat", "hubchat.v2.json", "hubchat.v1", "HUBCHAT.V1.JSON"])
async def test_who_offers_no_dialect_is_refused_and_told_both(hub: Hub, offered: str | None) -> None:
    async with await Raw.open(hub.running.port, {"Sec-WebSocket-Protocol": offered}) as raw:
        assert raw.status == 400
        check_fault(raw.status, raw.headers, raw.body)
        assert "hubchat.v1.msgpack" in str(raw.body)
        assert "hubchat.v1.json" in str(raw.body)


async def test_a_dialect_is_found_among_other_offers(hub: Hub) -> None:
    async with await Raw.open(hub.running.port, {"Sec-WebSocket-Protocol": "chat, hubchat.v1.msgpack"}) as raw:
        assert (raw.status, raw.headers["sec-websocket-protocol"]) == (101, "hubchat.v1.msgpack")
        assert (await raw.hear()).opcode == Opcode.BINARY


async def test_a_cookie_counts_with_our_origin_alone(hub: Hub) -> None:
    anna = await hub.member()
    cookie = anna.headers["Cookie"]
    assert (await refusal(hub, {"Cookie": cookie}))[0] == 403
    assert await refusal(hub, {"Cookie": cookie, "Origin": "https://elsewhere.example"}) == (403, "origin_foreign")
    assert await refusal(hub, {"Cookie": cookie, "Origin": "null"}) == (403, "origin_foreign")
    async with await Raw.open(hub.running.port, {"Cookie": cookie, "Origin": hub.url}) as raw:
        assert (await raw.hear_map())["welcome"]["user"]["id"] == anna.id


async def test_a_token_needs_no_origin_and_wins_over_a_cookie(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    token = (await ben.post("me/tokens", {"name": "bot"}, 201))["token"]
    for headers in ({}, anna.headers):
        async with await Raw.open(hub.running.port, {**headers, "Authorization": f"Bearer {token}"}) as raw:
            assert (await raw.hear_map())["welcome"]["user"]["id"] == ben.id


async def test_what_is_no_sign_in_any_more_is_no_guest_either(hub: Hub) -> None:
    anna = await hub.member()
    cookie = anna.headers["Cookie"]
    await anna.delete("session")
    assert (await refusal(hub, {"Cookie": cookie, "Origin": hub.url}))[0] == 401
    assert (await refusal(hub, {"Authorization": "Bearer hct_nothing"}))[0] == 401
    assert (await refusal(hub, {"Authorization": "Basic YTpi"}))[0] == 401


async def test_another_host_is_misdirected(hub: Hub) -> None:
    for host in ("hub.example", f"evil.example:{hub.running.port}", "localhost", "localhost:1"):
        assert await refusal(hub, {"Host": host}) == (421, "host_foreign")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
async def test_this_machine_may_be_called_by_its_names(hub: Hub, name: str) -> None:
    async with await Raw.open(hub.running.port, {"Host": f"{name}:{hub.running.port}"}) as raw:
        assert (await raw.hear_map())["welcome"]["user"] is None


async def test_what_is_no_handshake_is_answered_in_json(hub: Hub) -> None:
    assert (await refusal(hub, {"Sec-WebSocket-Key": None}))[0] == 400
    assert (await refusal(hub, {"Sec-WebSocket-Version": "8"}))[0] in (400, 426)


async def test_there_is_no_other_live_connection(hub: Hub) -> None:
    for path in ("/", "/live/", "/api/v1/live", "/nothing"):
        async with await Raw.open(hub.running.port, path=path) as raw:
            assert (path, raw.status) == (path, 404)
            check_fault(raw.status, raw.headers, raw.body)


# Compression


async def offer(hub: Hub, asked: str) -> str | None:
    """What the hub makes of an offer; the connection works either way."""
    async with await Raw.open(hub.running.port, {"Sec-WebSocket-Extensions": asked}) as raw:
        assert "welcome" in await raw.hear_map()
        return raw.headers.get("sec-websocket-extensions")


@pytest.mark.parametrize("asked", ["permessage-deflate", "permessage-deflate; client_max_window_bits"])
async def test_compression_is_agreed_on_without_context_takeover(hub: Hub, asked: str) -> None:
    agreed = await offer(hub, asked)
    assert agreed is not None
    name, *parameters = [part.strip() for part in agreed.split(";")]
    assert name == "permessage-deflate"
    assert {"server_no_context_takeover", "client_no_context_takeover"} <= set(parameters)


async def test_a_smaller_window_is_kept_to(hub: Hub) -> None:
    agreed = await offer(hub, "permessage-deflate; server_max_window_bits=10")
    assert agreed is not None
    (bits,) = [part.strip() for part in agreed.split(";") if "server_max_window_bits" in part]
    assert 9 <= int(bits.partition("=")[2]) <= 10


@pytest.mark.parametrize(
    "asked",
    ["permessage-deflate; server_max_window_bits=8", "permessage-deflate; client_max_window_bits=8",
     "permessage-deflate; server_max_window_bits=16", "permessage-deflate; nonsense", "x-webkit-deflate-frame"],
)  # fmt: skip
async def test_an_offer_that_cannot_be_kept_is_declined(hub: Hub, asked: str) -> None:
    assert await offer(hub, asked) is None


async def test_a_second_offer_is_taken_where_the_first_is_declined(hub: Hub) -> None:
    agreed = await offer(hub, "permessage-deflate; server_max_window_bits=8, permessage-deflate")
    assert agreed is not None
    assert "server_max_window_bits=8" not in agreed


async def test_only_what_is_large_is_compressed_and_each_frame_by_itself(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "public")
    asked: dict[str, str | None] = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    async with await Raw.open(hub.running.port, asked) as raw:
        await raw.hear()
        raw.say({"do": "subscribe", "id": 1, "channel": group})
        await raw.hear()
        await anna.say(group, "short")
        for _ in range(2):
            await anna.say(group, "the same long words " * 100)
        short, long, again = [await raw.hear() for _ in range(3)]
    assert (short.compressed, long.compressed, again.compressed) == (False, True, True)
    assert len(short.payload) < 256 < len(long.plain)
    assert b"the same long words" in again.plain


async def test_a_client_may_compress_or_not(hub: Hub) -> None:
    anna = await hub.member()
    group = await hub.group(anna, "open")
    plain, compressed = await anna.live(group, compression=None), await anna.live(group)
    assert plain.ws.protocol.extensions == []
    assert compressed.ws.protocol.extensions != []
    await compressed.send(group, "long words " * 1000)
    await plain.until_heard()
    assert plain.heard[0]["text"] == "long words " * 1000


async def test_a_ping_is_answered_with_its_own_words(hub: Hub) -> None:
    async with await Raw.open(hub.running.port) as raw:
        await raw.hear()
        raw.write(Frame(Opcode.PING, b"are you there"))
        heard = await raw.hear()
        assert (heard.opcode, heard.payload) == (Opcode.PONG, b"are you there")


async def test_the_client_says_why_it_was_not_let_in(hub: Hub) -> None:
    nobody = await hub.bearer("hct_nothing")
    with pytest.raises(InvalidStatus) as refused:
        await nobody.live()
    assert refused.value.response.status_code == 401
