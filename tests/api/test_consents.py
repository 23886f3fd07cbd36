"""Rules, privacy notice and consents: shown to anybody, asked one by one, asked again, and taken back."""

from pathlib import Path
from typing import Any

import pytest

from hubchat.actions.consents import Due, due, publish, versions
from hubchat.storage.database import Unavailable
from hubchat.storage.policies import ConsentRow
from tests.api.test_sessions import reason
from tests.flows.live import live
from tests.serving import PASSWORD, Served, serve

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def held(hub: Served) -> dict[str, str]:
    """Notice → the version that holds."""
    items = (await (await hub.client()).get("policies")).json()["items"]
    return {item["name"]: item["version"] for item in items}


def form(**more: Any) -> dict[str, Any]:
    return {"handle": "ana", "name": "Ana", "password": PASSWORD, "agreed": True, **more}


async def test_anybody_reads_what_holds_in_the_nearest_language(hub: Served) -> None:
    guest = await hub.client()
    items = (await guest.get("policies")).json()["items"]
    assert [(item["name"], item["langs"]) for item in items] == [("privacy", ["de", "en"]), ("rules", ["de", "en"])]
    for lang, word in (
        ("de-AT", "Wer diese Gemeinschaft betreibt"),
        ("en", "Whoever runs this hub"),
        ("xx", "Whoever runs"),
    ):
        shown = (await guest.get(f"policies/privacy?lang={lang}")).json()
        assert word in shown["text"]
        assert shown["version"] == items[0]["version"]
    for path, status in (("policies/terms", 404), ("policies/%00", 404), ("policies/rules?lang=" + "x" * 99, 422),
                         ("policies/rules?q=1", 422)):  # fmt: skip
        assert (await guest.get(path)).status_code == status, path


@sqlite_only
async def test_a_database_that_is_away_at_the_start_leaves_the_notices_as_they_were(
    hub: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def write(*_: object) -> None:
        raise Unavailable

    before = await held(hub)
    (hub.node.settings.data / "rules.md").write_text("Be kind.\n")
    with monkeypatch.context() as away:
        away.setattr(hub.node.log, "write", write)
        await publish(hub.node)
    assert [line.message for line in caplog.records] == [
        "rules and privacy notice could not be looked at; the next start does"
    ]
    assert await held(hub) == before
    await publish(hub.node)
    assert (await held(hub))["rules"] != before["rules"]


async def test_who_is_asked_one_by_one_has_each_consent_in_its_version(hub: Served) -> None:
    browser, now = await hub.browser(), await held(hub)
    answer = await browser.post("signup", json=form(**now, health_data=True, of_age=True))
    assert (answer.status_code, answer.json()["me"]["consents_due"]) == (201, [])
    mine = (await browser.get("me/consents")).json()
    assert {item["what"]: item["version"] for item in mine["items"]} == {
        **now, "health_data": now["privacy"], "age": "16",
    }  # fmt: skip
    assert all(item["withdrawn_at"] is None for item in mine["items"])


async def test_a_client_that_says_agreed_alone_leaves_the_rest_to_be_asked(hub: Served) -> None:
    browser, now = await hub.member("ana"), await held(hub)
    due = (await browser.get("me")).json()["consents_due"]
    assert due == [{"what": "health_data", "version": now["privacy"]}, {"what": "age", "version": "16"}]
    assert (await browser.post("groups", json={"slug": "g1", "title": "G", "visibility": "open"})).status_code == 201
    for given, status in (
        ({"health_data": "another"}, 412), ({"age": "15"}, 412), ({}, 422), ({"health_data": 7}, 422),
        ({"terms": "1"}, 422), ({"age": "1" * 65}, 422), ({"health_data": now["privacy"], "age": "x"}, 412),
    ):  # fmt: skip
        assert (await browser.post("me/consents", json=given)).status_code == status, given
    assert (await browser.get("me")).json()["consents_due"] == due
    both = {one["what"]: one["version"] for one in due}
    for _ in range(2):
        assert (await browser.post("me/consents", json=both)).json()["due"] == []
    assert len((await browser.get("me/consents")).json()["items"]) == 4, "said twice, it is kept once"


@sqlite_only
async def test_who_says_no_or_read_another_version_makes_no_account(hub: Served) -> None:
    now = await held(hub)
    for more, told, status in (
        ({"health_data": False}, "not_agreed", 422), ({"of_age": False}, "too_young", 403),
        ({"agreed": False}, "not_agreed", 422), ({"rules": "x"}, "changed_meanwhile", 412),
        ({"privacy": now["rules"]}, "changed_meanwhile", 412), ({"health_data": "yes"}, "fields_invalid", 422),
    ):  # fmt: skip
        answer = await (await hub.browser()).post("signup", json=form(**more))
        assert (answer.status_code, reason(answer)) == (status, told), more
    assert (await (await hub.browser()).post("signup", json=form())).status_code == 201, "the handle is still free"


async def test_a_new_version_asks_everybody_again_and_an_old_one_holds_again(hub: Served) -> None:
    browser, before = await hub.member("ana"), await held(hub)
    rules = hub.node.settings.data / "rules.md"
    rules.write_text("# Other rules of {hub}\n", "utf-8")
    await publish(hub.node)
    now = await held(hub)
    assert (now["rules"] != before["rules"], now["privacy"]) == (True, before["privacy"])
    assert {"what": "rules", "version": now["rules"]} in (await browser.get("me")).json()["consents_due"]
    assert (await browser.get("policies/rules?lang=de")).json()["text"] == "# Other rules of hubchat\n"
    assert reason(await browser.post("me/consents", json={"rules": before["rules"]})) == "changed_meanwhile"
    assert (await browser.post("me/consents", json={"rules": now["rules"]})).status_code == 200
    rules.unlink()
    await publish(hub.node)
    assert await held(hub) == before
    assert "rules" not in {one["what"] for one in (await browser.get("me")).json()["consents_due"]}


async def test_who_takes_back_what_is_needed_may_agree_again_export_and_leave(hub: Served) -> None:
    browser, now = await hub.browser(), await held(hub)
    await browser.post("signup", json=form(**now, health_data=True, of_age=True))
    ben = await hub.community.member("ben")
    room = await hub.community.group(ben, "open")
    await browser.post(f"groups/{room}/join")
    token = (await browser.post("me/tokens", json={"name": "x"})).json()["token"]
    ana = await hub.community.read(lambda c: c.exec_driver_sql("SELECT account_id FROM token").scalar_one())
    caller = ben._replace(account_id=ana, handle="ana")
    async with live(hub.node, hub.port, caller) as at_ana:
        assert (await browser.delete("me/consents/health_data")).status_code == 204
        assert await at_ana.closed() == 4003
    for path in ("channels", f"groups/{room}", "me/sessions"):
        assert reason(await browser.get(path)) == "consent_needed", path
    assert reason(await browser.post(f"channels/{room}/messages", json={"text": "hello"})) == "consent_needed"
    program = await hub.client(Authorization=f"Bearer {token}")
    assert reason(await program.get("channels")) == "consent_needed"
    other = await hub.sign_in("ana")
    me = (await other.get("me")).json()
    assert (me["withdrawn"], me["consents_due"]) == (True, [{"what": "health_data", "version": now["privacy"]}])
    for path in ("me/export", "me/erasure", "me/consents"):
        assert (await other.get(path)).status_code == 200, path
    assert (await hub.community.stand(caller, room)).standing.hub_role == "guest", "nothing reaches them"
    assert (await other.post("me/consents", json={"health_data": now["privacy"]})).status_code == 200
    assert (await browser.get("channels")).status_code == 200
    assert (await hub.community.stand(caller, room)).standing.state == "member", "they are where they were"
    items = (await browser.get("me/consents")).json()["items"]
    assert [one["withdrawn_at"] is None for one in items if one["what"] == "health_data"] == [False, True]


@sqlite_only
async def test_what_is_no_consent_is_not_taken_back(hub: Served) -> None:
    browser = await hub.member("ana")
    for what, status in (("health_data", 404), ("terms", 404), ("%00", 404), ("age", 403)):
        assert (await browser.delete(f"me/consents/{what}")).status_code == status, what
    assert (await browser.get("channels")).status_code == 200
    for what in ("rules", "privacy"):
        assert (await browser.delete(f"me/consents/{what}")).status_code == 204
    now = await held(hub)
    assert (await browser.post("me/consents", json={"rules": now["rules"]})).json()["due"][0]["what"] == "privacy"
    assert reason(await browser.get("channels")) == "consent_needed", "the other is lacking still"
    assert (await browser.post("me/consents", json={"privacy": now["privacy"]})).status_code == 200
    assert (await browser.get("channels")).status_code == 200


@sqlite_only
async def test_as_what_somebody_is_here_is_told_to_themselves_alone(hub: Served) -> None:
    browser, ben = await hub.member("ana"), await hub.member("ben")
    for given, kept in (("patient", "patient"), ("", None), ("carer", "carer")):
        assert (await browser.patch("me", json={"kind": given})).json()["kind"] == kept
    for wrong in ("doctor", 7, "x" * 5_000):
        assert (await browser.patch("me", json={"kind": wrong})).status_code == 422
    assert (await browser.get("me")).json()["kind"] == "carer"
    await browser.patch("me", json={"findable": True})
    for path in ("people/ana", "people?q=ana"):
        assert "carer" not in (await ben.get(path)).text


async def test_a_hub_for_others_asks_for_another_age(tmp_path: Path) -> None:
    async with serve(None, tmp_path, minimum_age=18, name="Ours") as hub:
        guest = await hub.browser()
        assert (await guest.get("hub")).json()["minimum_age"] == 18
        assert "You are 18 or older" in (await guest.get("policies/rules?lang=en")).json()["text"]
        answer = await guest.post("signup", json=form(health_data=True, of_age=True))
        assert answer.json()["me"]["consents_due"] == []


def test_what_is_due_is_what_was_not_agreed_to_as_it_is_now() -> None:
    wanted = versions({"rules": "r2", "privacy": "p1"}, 16)
    given = [ConsentRow("rules", "r1", 1, None), ConsentRow("privacy", "p1", 1, None), ConsentRow("age", "18", 1, None),
             ConsentRow("health_data", "p1", 1, 2)]  # fmt: skip
    assert due(wanted, given) == [Due("rules", "r2"), Due("health_data", "p1")]
    assert due(versions({}, 16), []) == [Due("age", "16")]
