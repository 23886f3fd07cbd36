"""A bad line and a restarted hub: words are kept, sent once, and the page says what is true."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.browser.person import Person
from tests.program import Program, Running
from tests.servers import free_port

LOST = r"ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED"
OFFLINE = r"ERR_INTERNET_DISCONNECTED"


@contextmanager
def offline(person: Person) -> Iterator[None]:
    """In a tunnel. Browsers leave open WebSockets alone then, so the page's own look at the network counts."""
    person.page.context.set_offline(True)
    yield
    person.page.context.set_offline(False)


def test_a_draft_survives_a_reload(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.composer.fill("Half a thought")
    ana.page.reload()
    expect(ana.composer).to_have_value("Half a thought")
    ana.composer.press("Enter")
    expect(ana.message("Half a thought")).to_be_visible()
    ana.page.reload()
    expect(ana.message("Half a thought")).to_be_visible()
    expect(ana.composer).to_have_value("")


def test_what_is_written_offline_waits_and_goes_out_once(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    people.watch(hub).forgive(OFFLINE)
    expect(ana.banner).to_be_hidden()
    with offline(ana):
        expect(ana.banner).to_contain_text("You are offline. What you write is kept and sent when you are back.")
        ana.say("From the tunnel")
        ana.say("Still in the tunnel")
        expect(ana.message("From the tunnel")).to_contain_text("Waits for the connection")
        ben.say("Where are you?")
        expect(ben.message("Where are you?")).to_be_visible()
        expect(ben.message("From the tunnel")).to_be_hidden()
    for person in (ana, ben):
        expect(person.messages).to_have_count(3)
        expect(person.message("From the tunnel")).to_have_count(1)
        expect(person.message("Still in the tunnel")).to_have_count(1)
    expect(ana.message("From the tunnel")).not_to_contain_text("Waits for the connection")
    expect(ana.banner).to_be_hidden()
    texts = [entry.get("text") for entry in ana.ask("GET", f"channels/{group.id}/entries")["entries"]]
    assert [text for text in texts if text] == ["Where are you?", "From the tunnel", "Still in the tunnel"]


def test_what_is_written_offline_outlives_the_page(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    people.watch(hub).forgive(OFFLINE)
    with offline(ana):
        expect(ana.banner).to_be_visible()
        ana.say("Before the phone died")
        expect(ana.message("Before the phone died")).to_contain_text("Waits for the connection")
        ana.page.close()
    ana.page = ana.page.context.new_page()
    ana.go("/")
    expect(ben.message("Before the phone died")).to_have_count(1)
    ana.open_room(group.path)
    expect(ana.message("Before the phone died")).to_have_count(1)


def test_a_hub_that_is_killed_and_started_again_loses_and_doubles_nothing(
    people: People, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program, port = Program(tmp_path_factory.mktemp("killed") / "data"), free_port()
    with program.serving(port=port) as first:
        group, (ana, ben) = people.together(first, "Ana", "Ben")
        people.watch(first).forgive(LOST)
        ana.say("Before")
        expect(ben.message("Before")).to_be_visible()
        first.stop(signal.SIGKILL)
        expect(ana.banner).to_contain_text("No connection to the hub. Trying again in")
        ana.say("Meanwhile")
        expect(ana.message("Meanwhile")).to_contain_text("Waits for the connection")
    with program.serving(port=port):
        for person in (ana, ben):
            if (now := person.button("Try now")).is_visible():
                now.click()
            expect(person.banner).to_be_hidden()
            expect(person.message("Meanwhile")).to_have_count(1)
            expect(person.message("Before")).to_have_count(1)
        ben.say("Back again")
        expect(ana.message("Back again")).to_have_count(1)
        texts = [entry["text"] for entry in ana.ask("GET", f"channels/{group.id}/entries")["entries"]]
        assert texts == ["Before", "Meanwhile", "Back again"]


def test_a_refused_message_can_be_sent_again_or_taken_back(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    people.watch(hub).forgive(OFFLINE)
    for text in ("First try", "Second thoughts"):
        with offline(ben):
            expect(ben.banner).to_be_visible()
            ben.say(text)
            ana.ask("PATCH", f"groups/{group.id}", {"state": "archived"})
        failed = ben.message(text)
        expect(failed).to_contain_text("Not sent.")
        ana.ask("PATCH", f"groups/{group.id}", {"state": "open"})
        if text == "First try":
            failed.get_by_role("button", name="Send again").click()
            expect(ana.message(text)).to_have_count(1)
            expect(failed).not_to_contain_text("Not sent.")
        else:
            failed.get_by_role("button", name="Delete").click()
            expect(failed).to_be_hidden()
    ben.page.reload()
    expect(ben.message("First try")).to_have_count(1)
    expect(ben.message("Second thoughts")).to_be_hidden()
