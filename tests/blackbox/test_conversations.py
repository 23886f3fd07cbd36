"""Direct messages: one conversation of exactly these people, requests from strangers, and who takes part."""

from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import Hub, Person
from tests.blackbox.line import Line
from tests.blackbox.shapes import PERSON, an_id, list_of, number, one_of, shaped

CONVERSATION = shaped(
    {"id": an_id, "kind": one_of("conversation"), "head": number, "first": an_id}, {"people": list_of(PERSON)}
)  # fmt: skip


async def converse(person: Person, *others: Person) -> int:
    made = await person.post("conversations", {"handles": [other.handle for other in others]})
    assert CONVERSATION(made)
    return made["id"]  # type: ignore[no-any-return]


async def friends(hub: Hub, *stems: str) -> list[Person]:
    """Members who share a closed group."""
    people = await hub.members(*stems)
    await hub.group(people[0], "closed", *people[1:])
    return people


async def refusal(line: Line, verb: str, **fields: Any) -> str:
    with pytest.raises(Refused) as refused:
        await line.do(verb, **fields)
    return refused.value.code


async def test_there_is_one_conversation_of_exactly_these_people(hub: Hub) -> None:
    anna, ben, zoe = await friends(hub, "anna", "ben", "zoe")
    two = await converse(anna, ben)
    assert await converse(ben, anna) == two
    assert await converse(anna, ben, ben) == two
    three = await converse(anna, ben, zoe)
    assert three != two
    assert await converse(zoe, anna, ben) == three
    shown = await zoe.get(f"channels/{three}")
    assert sorted(one["id"] for one in shown["people"]) == sorted([anna.id, ben.id, zoe.id])


async def test_those_who_share_a_group_write_to_each_other_at_once(hub: Hub) -> None:
    anna, ben = await friends(hub, "anna", "ben")
    talk = await converse(anna, ben)
    his, hers = await ben.live(talk), await anna.live(talk)
    await hers.send(talk, "only for you")
    await his.until_heard()
    await his.send(talk, "thank you")
    await hers.until_heard(2)
    mine = [one for one in (await ben.get("channels"))["items"] if one["id"] == talk]
    assert (mine[0]["kind"], mine[0]["unread"]) == ("conversation", 1)


async def test_nobody_else_reads_it(hub: Hub) -> None:
    anna, ben, zoe = await friends(hub, "anna", "ben", "zoe")
    talk = await converse(anna, ben)
    await anna.say(talk)
    line = await zoe.live()
    assert await refusal(line, "subscribe", channel=talk) == "not_found"
    assert await refusal(line, "history", channel=talk) == "not_found"
    await zoe.get(f"channels/{talk}", 404)
    assert (await zoe.http.post(f"groups/{talk}/join", json={})).status_code == 404


async def test_a_strangers_first_message_is_a_request(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    talk = await converse(anna, ben)
    hers, his, inbox = await anna.live(talk), await ben.live(), await ben.live()
    await inbox.subscribe(ben.inbox, after=0)
    await hers.send(talk, "may I ask you something?")
    (notice,) = await inbox.until_entries(ben.inbox)
    assert notice["reason"] in ("request", "invitation")
    assert (notice["about"]["channel"], notice["author"]) == (talk, anna.id)
    await his.subscribe(talk, after=0)
    await his.until_heard()
    assert await refusal(his, "send", channel=talk, nonce="n", text="x") == "forbidden"
    await ben.post(f"conversations/{talk}/accept", status=204)
    await his.send(talk, "yes")
    assert (await hers.until_entries(talk, 2))[1]["text"] == "yes"


async def test_a_request_that_is_declined_is_over_for_who_declined(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    talk = await converse(anna, ben)
    await anna.say(talk, "may I ask you something?")
    his = await ben.live(talk)
    await ben.post(f"conversations/{talk}/decline", status=204)
    assert await his.until_revoked() == {talk: "declined"}
    assert await refusal(his, "subscribe", channel=talk) == "not_found"
    assert talk not in [one["id"] for one in (await ben.get("channels"))["items"]]


async def test_a_conversation_has_two_to_eight_people(hub: Hub) -> None:
    anna, *others = [await hub.member() for _ in range(9)]
    await hub.group(anna, "closed", *others)
    for some in ([], [anna], others):
        answer = await anna.http.post("conversations", json={"handles": [one.handle for one in some]})
        assert (answer.status_code in (400, 422), answer.json()["error"]["reason"]) == (True, "people_count")
    await converse(anna, *others[:7])
    assert await anna.refused("POST", "conversations", 404, {"handles": ["nobody-here"]}) == "person_unknown"
    await (await hub.browser()).post("conversations", {"handles": [anna.handle]}, 401)


async def test_its_people_delete_their_own_words_alone(hub: Hub) -> None:
    anna, ben = await friends(hub, "anna", "ben")
    talk = await converse(anna, ben)
    hers, his = await anna.live(), await ben.live()
    await hers.send(talk, "hers")
    assert await refusal(his, "delete", channel=talk, seq=1) == "forbidden"
    assert await refusal(his, "edit", channel=talk, seq=1, text="x") == "forbidden"
    await his.do("react", channel=talk, seq=1, emoji="👍", on=True)
    assert await hers.do("delete", channel=talk, seq=1) == {"seq": 3}
