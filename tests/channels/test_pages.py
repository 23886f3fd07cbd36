"""Pages of history, as of when the right to read them was asked."""

from hubchat.channels.pages import history_page
from hubchat.wire import History
from tests.community import Community


async def test_a_page_around_what_is_still_to_come_ends_where_the_channel_stood(hub: Community) -> None:
    ana = await hub.member("ana")
    room = await hub.group(ana)
    last = await hub.say(ana, room)
    seat = await hub.node.seats.get((ana.account_id, room))
    assert seat is not None
    await hub.say(ana, room, "said after the right was asked")
    page = await hub.read(lambda c: history_page(c, seat, History(1, room, around=last + 1_000), "json"))
    assert page["entries"][-1]["seq"] == page["head"] == last
