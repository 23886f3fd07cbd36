"""The demo as a newcomer meets it: two members side by side in one browser, without a password."""

from playwright.sync_api import Page, expect

from tests.browser.people import PATIENCE_MS, People
from tests.browser.person import Person
from tests.program import Running


def test_two_members_side_by_side_see_each_other_at_once(demo: Running, people: People) -> None:
    ana = people.guest(demo)
    continue_as(ana, "Ana Sousa")
    expect(ana.sees("Hello, Ana")).to_be_visible()

    ben = beside(ana)
    assert ben.url == f"http://127.0.0.1:{demo.port}"
    ben.button("Continue as Ben Whitfield").click()
    expect(ben.sees("Hello, Ben")).to_be_visible()

    for person in (ana, ben):
        person.enter("Lung cancer")
    ben.write_until(ana.sees("Ben Whitfield is writing …"))
    ben.say("Good morning from Leeds")
    expect(ana.message("Good morning from Leeds")).to_be_visible()
    expect(ana.sees("Ben Whitfield is writing …")).to_be_hidden()
    ana.say("And from Porto")
    expect(ben.message("And from Porto")).to_be_visible()


def continue_as(person: Person, name: str) -> None:
    person.go("/")
    person.button(f"Continue as {name}").click()
    expect(person.page.get_by_role("heading", name="Hello, ")).to_be_visible()  # signed in: one may go elsewhere


def beside(person: Person) -> Person:
    """The second member, by the link that the first one finds."""
    with person.page.context.expect_page(timeout=PATIENCE_MS) as opened:
        person.link("Open as Ben in this browser").click()
    page: Page = opened.value
    page.wait_for_load_state()
    return Person(page, page.url.split("/?")[0])


def test_who_is_here_is_seen_and_who_leaves_is_seen_to_leave(demo: Running, people: People) -> None:
    ana, ben = people.guest(demo), people.guest(demo)
    for person, name in ((ana, "Ana Sousa"), (ben, "Ben Whitfield")):
        continue_as(person, name)
        person.enter("Lung cancer")
    ana.page.get_by_role("tab", name="People").click()
    panel = ana.page.get_by_role("tabpanel")
    here = panel.get_by_role("list").filter(has_text="Ana Sousa")
    expect(here).to_contain_text("Ben Whitfield")
    ben.page.close()
    expect(here).not_to_contain_text("Ben Whitfield")
    expect(panel).to_contain_text("Ben Whitfield")


def test_a_guest_reads_a_public_group_as_it_is_written(demo: Running, people: People) -> None:
    guest, ana = people.guest(demo), people.guest(demo)
    guest.go("/")
    guest.link("Read the public groups").click()
    guest.enter("Kitchen table")
    expect(guest.sees("Everyone on the internet can read this")).to_be_visible()
    expect(guest.composer).to_be_hidden()
    continue_as(ana, "Ana Sousa")
    ana.enter("Kitchen table")
    ana.say("Soup is on the stove")
    expect(guest.message("Soup is on the stove")).to_be_visible()
    expect(guest.sees("Sign in to join and write.")).to_be_visible()


def test_a_door_opens_for_her_who_waits_at_it(demo: Running, people: People) -> None:
    lucia, oksana = people.guest(demo), people.guest(demo, f"http://127.0.0.1:{demo.port}")
    continue_as(lucia, "Lucía Ortega")
    lucia.go("/groups")
    lucia.link("Young adults").click()
    expect(lucia.sees("Your request is with the owners")).to_be_visible()
    continue_as(oksana, "Оксана Коваль")
    oksana.button("Let in").click()
    expect(lucia.message("This is a demo.").first).to_be_attached()
    expect(lucia.composer).to_be_visible()
