"""Who is shown to whom: by id, by handle and by search."""

from typing import Any

import pytest

from tests.blackbox.client import Refused
from tests.blackbox.hub import Hub, Person
from tests.blackbox.shapes import PERSON, list_of, page_of, shaped


async def known(person: Person, *others: Person) -> set[int]:
    """Whom somebody is told of, live and over HTTP alike."""
    ids = [other.id for other in others]
    live = await (await person.live()).do("people", ids=ids)
    assert shaped({"people": list_of(PERSON, 100)})(live)
    read = await person.get("people", params={"ids": ",".join(map(str, ids))})
    assert page_of(PERSON)(read)
    assert sorted(one["id"] for one in live["people"]) == sorted(one["id"] for one in read["items"])
    return {one["id"] for one in live["people"]}


async def test_those_who_wrote_where_i_read_are_known_to_me(hub: Hub) -> None:
    anna, ben, zoe, guest = *await hub.members("anna", "ben", "zoe"), await hub.browser()
    public, closed = await hub.group(anna, "public", ben), await hub.group(ben, "closed")
    await anna.say(public)
    await ben.say(closed)
    assert await known(zoe, anna, ben) == {anna.id}
    assert await known(guest, anna, ben) == {anna.id}


async def test_those_who_belong_with_me_are_known_to_me(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    await hub.group(anna, "closed", ben)
    assert await known(anna, ben, zoe) == {ben.id}
    assert await known(anna, anna) == {anna.id}
    talk = await anna.post("conversations", {"handles": [zoe.handle]})
    assert zoe.id in [one["id"] for one in talk["people"]]
    assert await known(anna, zoe) == {zoe.id}


async def test_an_unknown_id_is_left_out(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    line = await anna.live()
    assert await line.do("people", ids=[ben.id, 12345]) == {"people": []}
    assert await line.do("people", ids=[]) == {"people": []}
    with pytest.raises(Refused) as refused:
        await line.do("people", ids=list(range(1, 102)))
    assert refused.value.code in ("bad_request", "too_large")
    too_many = ",".join(str(number) for number in range(1, 102))
    assert (await anna.http.get("people", params={"ids": too_many})).status_code in (400, 413, 422)


async def test_an_exact_handle_always_finds(hub: Hub) -> None:
    anna, ben = await hub.members("anna", "ben")
    found = await anna.get(f"people/{ben.handle}")
    assert PERSON(found)
    assert found["id"] == ben.id
    assert await anna.refused("GET", "people/nobody-here", 404) == "person_unknown"
    (exact,) = (await anna.get("people", params={"q": ben.handle}))["items"]
    assert exact["id"] == ben.id


async def search(person: Person, query: str) -> set[int]:
    page: Any = await person.get("people", params={"q": query})
    assert page_of(PERSON)(page)
    return {one["id"] for one in page["items"]}


async def test_a_part_of_a_name_finds_those_one_shares_a_group_with_or_who_want_to_be_found(hub: Hub) -> None:
    anna, ben, zoe = await hub.members("anna", "ben", "zoe")
    for person in (ben, zoe):
        await person.patch("me", {"name": f"Quercus {person.handle}"})
    assert not {ben.id, zoe.id} & await search(anna, "Querc")
    await hub.group(anna, "closed", ben)
    assert {ben.id, zoe.id} & await search(anna, "Querc") == {ben.id}
    await zoe.patch("me", {"findable": True})
    assert {ben.id, zoe.id} <= await search(anna, "Querc")
