"""The ways in: links that let in and links that have ended, forms that say what they miss, codes that nobody loses."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import UNLIMITED
from tests.browser.people import Group, People, numbers
from tests.browser.person import PASSWORD, Person
from tests.program import Program, Running, wait_until

OTHER: Final = "quiet-lakes-in-winter"
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WRONG: Final = "[aria-invalid=true]"


class House(NamedTuple):
    """A hub with its command line."""

    program: Program
    hub: Running

    def link_for(self, handle: str) -> str:
        return self.program.tell("user", "link", handle, "--port", str(self.hub.port))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    program = Program(tmp_path_factory.mktemp("house") / "data", UNLIMITED)
    with program.serving() as hub:
        yield House(program, hub)


def password(person: Person, label: str = "Password") -> Locator:
    return person.page.get_by_label(label, exact=True)


def invite(owner: Person, group: Group, uses: int = 1) -> str:
    return str(owner.ask("POST", f"groups/{group.id}/invites", {"uses": uses})["code"])


def fill_in(person: Person, name: str) -> str:
    """The form for joining, filled in; gives the handle."""
    person.page.get_by_label("Name", exact=True).fill(name)
    person.page.get_by_label("Handle").fill(handle := f"{name.lower()}-{next(numbers)}")
    password(person).fill(PASSWORD)
    person.page.get_by_label("I treat others kindly").check()
    return handle


def keep_codes(person: Person) -> None:
    person.page.get_by_label("I have kept them").check()
    person.button("Go on").click()


def says_what_it_misses(person: Person, words: str) -> None:
    """The focus is on the first field that is wrong, and the words are its description."""
    focused = person.page.locator(":focus")
    expect(focused).to_have_attribute("aria-invalid", "true")
    expect(person.page.locator(WRONG).first).to_be_focused()
    expect(focused).to_be_in_viewport()
    expect(focused).to_have_accessible_description(words)


# ---------------------------------------------------------------- a link of the operators


def test_who_comes_in_by_a_link_is_led_to_a_password_without_being_asked_for_an_old_one(
    house: House, people: People
) -> None:
    house.program.tell("user", "add", "olga", "--name", "Olga Neri")
    olga = people.guest(house.hub)
    olga.page.goto(house.link_for("olga"))
    olga.button("Sign in with this link").click()
    expect(olga.page.get_by_role("heading", name="Choose a password")).to_be_visible()
    olga.page.get_by_role("link", name="Not now").click()
    expect(olga.sees("Hello, Olga")).to_be_visible()
    olga.page.reload()
    olga.page.get_by_role("link", name="Set the password").click()
    expect(password(olga, "Password now")).to_have_count(0)
    olga.button("Set the password").click()
    says_what_it_misses(
        olga,
        "Long ones are hard to guess. Three or four words in a row are easy to keep in mind. Please choose a password.",
    )
    password(olga, "New password").fill(OTHER)
    olga.button("Set the password").click()
    expect(olga.sees("Hello, Olga")).to_be_visible()
    expect(olga.page.get_by_role("link", name="Set the password")).to_have_count(0)
    people.guest(house.hub).ask("POST", "session", {"login": "olga", "password": OTHER})


def test_who_forgot_the_password_and_came_by_a_link_is_reminded_until_there_is_a_new_one(
    house: House, people: People
) -> None:
    ana = people.member(house.hub, "Ana")
    ana.ask("DELETE", "session")
    ana.page.goto(house.link_for(ana.handle))
    ana.button("Sign in with this link").click()
    ana.page.get_by_role("link", name="Not now").click()
    expect(ana.page.get_by_role("link", name="Set the password")).to_be_visible()
    ana.go("/account")
    expect(password(ana, "New password")).to_be_visible()
    expect(password(ana, "Password now")).to_have_count(0)
    password(ana, "New password").fill(OTHER)
    ana.button("Change the password").click()
    expect(ana.sees("The password is changed. Your other devices were signed out.")).to_be_visible()
    expect(ana.page.get_by_role("link", name="Set the password")).to_have_count(0)


def test_a_link_that_was_used_says_so(house: House, people: People) -> None:
    people.watch(house.hub).forgive("status of 404", "/api/v1/session/link")
    house.program.tell("user", "add", "ines")
    link = house.link_for("ines")
    for _ in range(2):
        ines = people.guest(house.hub)
        ines.page.goto(link)
        ines.button("Sign in with this link").click()
    expect(ines.sees("This link is not valid any more. Please ask for a new one.")).to_be_visible()
    expect(ines.button("Sign in with this link")).to_have_count(0)


# ---------------------------------------------------------------- invitations


def test_who_signs_up_by_an_invitation_is_told_whose_it_is_and_lands_in_the_group(hub: Running, people: People) -> None:
    olga = people.member(hub, "Olga")
    group = people.group(olga, visibility="closed", title="Lung cancer")
    eva = people.guest(hub)
    eva.go(f"/join#{invite(olga, group)}")
    eva.page.get_by_role("link", name="Join the hub").click()
    expect(eva.page.get_by_text("invites you to")).to_contain_text("Lung cancer")
    fill_in(eva, "Eva")
    eva.button("Join the hub").click()
    keep_codes(eva)
    eva.feed.wait_for()
    assert eva.page.url == hub.url + group.path


def test_an_invitation_that_has_ended_is_told_before_the_form_and_the_hub_can_be_joined_without_it(
    hub: Running, people: People
) -> None:
    people.watch(hub).forgive("status of 404", "/api/v1/signup/preview")
    olga, ben = people.member(hub, "Olga"), people.member(hub, "Ben")
    code = invite(olga, people.group(olga, visibility="closed"))
    ben.ask("POST", "invites", {"code": code})
    eva = people.guest(hub)
    eva.go(f"/sign-up#{code}")
    expect(eva.page.get_by_role("alert")).to_contain_text("This invitation has ended")
    expect(eva.page.get_by_role("alert")).to_contain_text("You can join the hub without it.")
    fill_in(eva, "Eva")
    eva.button("Join the hub").click()
    keep_codes(eva)
    expect(eva.sees("Hello, Eva")).to_be_visible()


def test_an_invitation_that_ends_while_the_form_is_filled_in_is_told_and_nothing_is_lost(
    hub: Running, people: People
) -> None:
    people.watch(hub).forgive("status of 404", "/api/v1/signup")
    olga, ben = people.member(hub, "Olga"), people.member(hub, "Ben")
    code = invite(olga, people.group(olga, visibility="closed"))
    eva = people.guest(hub, **PHONE)
    eva.go(f"/sign-up#{code}")
    handle = fill_in(eva, "Eva")
    ben.ask("POST", "invites", {"code": code})
    eva.button("Join the hub").click()
    expect(eva.page.get_by_role("alert")).to_contain_text("This invitation has ended")
    expect(eva.page.get_by_role("alert")).to_be_in_viewport()
    expect(eva.page.get_by_label("Handle")).to_have_value(handle)
    eva.button("Join the hub").click()
    expect(eva.page.get_by_role("list", name="Recovery codes")).to_be_visible()


def test_a_hub_for_the_invited_asks_for_another_code_when_one_has_ended(tmp_path: Any, people: People) -> None:
    program = Program(tmp_path / "data", {**UNLIMITED, "HUBCHAT_SIGNUP": "invited"})
    with program.serving() as hub:
        people.watch(hub).forgive("status of 404", "/api/v1/signup")
        kept = tmp_path / "data" / "first-admin"
        wait_until(lambda: kept.exists() and kept.read_text(), "the first administrator's link is not there")
        first = kept.read_text().strip()
        olga = people.guest(hub)
        olga.page.goto(first)
        expect(olga.sees("You will be the first administrator")).to_be_visible()
        fill_in(olga, "Olga")
        olga.button("Join the hub").click()
        keep_codes(olga)
        expect(olga.sees("Hello, Olga")).to_be_visible()

        eva = people.guest(hub)
        eva.page.goto(first)
        expect(eva.page.get_by_role("alert")).to_contain_text("Ask for a new one")
        fill_in(eva, "Eva")
        eva.button("Join the hub").click()
        says_what_it_misses(eva, "It is the part of the link after the # sign. Please give the invitation code.")
        group = people.group(olga, visibility="secret")
        eva.page.get_by_label("Invitation code").fill(f"{hub.url}/join#{invite(olga, group)}")
        eva.button("Join the hub").click()
        keep_codes(eva)
        eva.feed.wait_for()


def test_a_group_link_that_ends_while_it_is_looked_at_leaves_no_button(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 404", "/api/v1/invites")
    olga, ben, eva = (people.member(hub, name) for name in ("Olga", "Ben", "Eva"))
    code = invite(olga, people.group(olga, visibility="closed"))
    eva.go(f"/join#{code}")
    join = eva.button("Join this group")
    expect(join).to_be_visible()
    ben.ask("POST", "invites", {"code": code})
    join.click()
    expect(eva.page.get_by_role("heading", name="This invitation has ended")).to_be_visible()
    expect(join).to_have_count(0)


# ---------------------------------------------------------------- forms


def test_forms_say_what_they_miss_beside_it_and_lead_there(hub: Running, people: People) -> None:
    eva = people.guest(hub, **PHONE)
    eva.go("/sign-in")
    eva.button("Sign in").click()
    says_what_it_misses(eva, "Please give your handle.")
    eva.page.keyboard.type("eva")
    eva.page.keyboard.press("Enter")
    says_what_it_misses(eva, "Please give your password.")
    eva.go("/recover")
    eva.button("Set the new password").click()
    says_what_it_misses(eva, "Please give your handle.")
    eva.go("/sign-up")
    eva.page.get_by_label("Name", exact=True).fill("Eva")
    eva.page.get_by_label("Handle").fill("!")
    eva.button("Join the hub").click()
    expect(eva.page.locator(WRONG)).to_have_count(3)
    expect(eva.page.get_by_label("Handle")).to_be_focused()
    expect(eva.page.get_by_label("Handle")).to_be_in_viewport()


def test_the_forms_of_members_say_what_they_miss(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 401", "/api/v1/me/password")
    ana = people.member(hub, "Ana", **PHONE)
    group = people.group(ana)
    ana.go("/account")
    ana.page.get_by_label("Name", exact=True).fill(" ")
    ana.button("Save").click()
    says_what_it_misses(ana, "What others see. Please give a name.")
    ana.button("Make a token").click()
    expect(ana.page.get_by_label("What is it for?")).to_be_focused()
    ana.go("/groups/new")
    ana.button("Make the group").click()
    expect(ana.page.get_by_label("Name", exact=True)).to_be_focused()
    ana.go(f"{group.path}/settings")
    ana.page.get_by_label("Name", exact=True).fill("")
    ana.button("Save").click()
    expect(ana.page.get_by_label("Name", exact=True)).to_be_focused()
    ana.button("Invite somebody").click()
    ana.button("Invite").click()
    expect(ana.page.get_by_role("textbox", name="Handle")).to_be_focused()
    ana.page.get_by_label("How many people may use it").fill("101")
    ana.button("Make a link").click()
    expect(ana.page.get_by_label("How many people may use it")).to_be_focused()
    expect(ana.page.locator(":focus")).to_have_accessible_description("Use a number from 1 to 100.")
    ana.go("/conversations/new")
    ana.button("Start the conversation").click()
    says_what_it_misses(ana, "Type a name or a handle. One to seven people. Choose at least one person.")


def test_a_handle_that_is_taken_is_told_at_its_field(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 409", "/api/v1/signup")
    ana = people.member(hub, "Ana")
    eva = people.guest(hub, **PHONE)
    eva.go("/sign-up")
    fill_in(eva, "Eva")
    eva.page.get_by_label("Handle").fill(ana.handle)
    eva.button("Join the hub").click()
    expect(eva.page.get_by_label("Handle")).to_be_focused()
    expect(eva.page.get_by_label("Handle")).to_have_accessible_description(
        "A short name to sign in with. Others can mention you by it. It cannot be changed later. "
        "This handle is taken. Please choose another one."
    )


# ---------------------------------------------------------------- back to where one was


def test_signing_in_from_a_public_room_leads_back_to_it_over_whichever_door(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 401", "/api/v1/me$")  # her session is ended beside her page
    olga = people.member(hub, "Olga")
    group = people.group(olga, visibility="public")
    eva = people.guest(hub, **PHONE)
    eva.open_room(group.path)
    expect(eva.page.get_by_role("banner").get_by_role("link", name="Join the hub")).to_be_visible()
    eva.page.get_by_role("banner").get_by_role("link", name="Sign in").click()
    eva.page.get_by_role("link", name="I do not know my password").click()
    eva.page.get_by_role("link", name="Back to sign-in").click()
    eva.page.get_by_role("link", name="Join the hub").click()
    expect(eva.page.get_by_role("heading", name="Join the hub")).to_be_visible()
    eva.page.wait_for_url("**/sign-up?to=*")
    eva.page.reload()
    handle = fill_in(eva, "Eva")
    eva.button("Join the hub").click()
    keep_codes(eva)
    eva.feed.wait_for()
    assert eva.page.url == hub.url + group.path

    eva.ask("DELETE", "session")
    eva.open_room(group.path)
    eva.page.get_by_role("main").get_by_role("link", name="Sign in").click()
    eva.page.get_by_label("Handle").fill(handle)
    password(eva).fill(PASSWORD)
    eva.button("Sign in").click()
    eva.feed.wait_for()
    assert eva.page.url == hub.url + group.path


# ---------------------------------------------------------------- recovery codes


def test_new_codes_stay_until_they_are_kept_over_a_reload_and_other_pages(hub: Running, people: People) -> None:
    eva = people.guest(hub)
    eva.go("/sign-up")
    handle = fill_in(eva, "Eva")
    eva.button("Join the hub").click()
    codes = eva.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    shown = codes.all_inner_texts()
    eva.page.reload()
    expect(codes).to_have_text(shown)
    eva.page.keyboard.press("Escape")
    with eva.page.expect_download() as download:
        eva.button("Save as a file").click()
    name = download.value.suggested_filename
    assert name.startswith(f"recovery-codes-hubchat-{handle}-20")
    assert name.endswith(".txt")
    text = download.value.path().read_text("utf-8")
    assert all(word in text for word in ("hubchat", hub.url, f"@{handle}", *shown))

    eva.go("/account")
    eva.button("Sign out").click()
    asked = eva.page.get_by_role("dialog")
    expect(asked).to_contain_text("they are not shown again")
    asked.get_by_role("button", name="Cancel").click()
    eva.go("/codes")
    eva.page.get_by_role("banner").get_by_role("link").click()
    expect(eva.sees("Your new recovery codes are not kept yet")).to_be_visible()
    eva.page.get_by_role("link", name="Show the codes").click()
    expect(codes).to_have_text(shown)
    keep_codes(eva)
    expect(eva.sees("Hello, Eva")).to_be_visible()
    expect(eva.sees("Your new recovery codes are not kept yet")).to_have_count(0)
    eva.go("/codes")
    expect(eva.sees("No codes to keep")).to_be_visible()
    assert eva.page.evaluate("sessionStorage.getItem('hubchat:codes')") is None


def test_old_codes_end_only_when_asked_and_the_new_ones_stay_until_they_are_kept(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 401", "/api/v1/me")
    eva = people.guest(hub)
    eva.handle, eva.name = f"eva-{next(numbers)}", "Eva"
    form = {"handle": eva.handle, "name": eva.name, "password": PASSWORD, "agreed": True}
    old = eva.ask("POST", "signup", form)["recovery_codes"]
    eva.go("/account")
    eva.button("Make new codes").click()
    expect(eva.page.get_by_role("dialog")).to_contain_text("end at once")
    eva.page.keyboard.press("Escape")
    expect(eva.page.get_by_role("dialog")).to_have_count(0)
    proof = {"login": eva.handle, "recovery_code": old[0], "password": PASSWORD}
    eva.page.goto("about:blank")
    people.guest(hub).ask("POST", "session/recover", proof)  # it is good still, and ends eva's session
    eva.ask("POST", "session", {"login": eva.handle, "password": PASSWORD})

    eva.go("/account")
    eva.button("Make new codes").click()
    eva.page.get_by_role("dialog").get_by_role("button", name="Make new codes").click()
    codes = eva.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    eva.page.keyboard.press("Escape")
    expect(codes).to_have_count(10)
    fresh = codes.first.inner_text()
    eva.page.go_back()
    expect(eva.sees("Your new recovery codes are not kept yet")).to_be_visible()
    eva.page.get_by_role("link", name="Show the codes").click()
    keep_codes(eva)
    expect(eva.page.get_by_role("heading", name="Account")).to_be_visible()
    people.guest(hub).ask("POST", "session/recover", {**proof, "recovery_code": fresh})


# ---------------------------------------------------------------- the account's page


def test_a_password_change_empties_the_list_of_other_devices(hub: Running, people: People) -> None:
    people.watch(hub).forgive("status of 401", "/api/v1/me")
    ana = people.member(hub, "Ana")
    for _ in range(2):
        people.guest(hub).ask("POST", "session", {"login": ana.handle, "password": PASSWORD})
    ana.go("/account")
    devices = ana.page.get_by_role("region", name="Signed in on").get_by_role("listitem")
    expect(devices).to_have_count(3)
    password(ana, "New password").fill(OTHER)
    ana.button("Change the password").click()
    expect(devices).to_have_count(1)


def test_all_other_devices_are_signed_out_at_once(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    for _ in range(2):
        people.guest(hub).ask("POST", "session", {"login": ana.handle, "password": PASSWORD})
    ana.go("/account")
    devices = ana.page.get_by_role("region", name="Signed in on").get_by_role("listitem")
    expect(devices).to_have_count(3)
    ana.button("Sign out everywhere else").click()
    expect(devices).to_have_count(1)
    expect(ana.button("Sign out everywhere else")).to_have_count(0)


def test_a_member_of_the_demo_who_joined_it_has_a_password_and_its_people_have_none(
    demo: Running, people: People
) -> None:
    eva = people.member(demo, "Eva")
    eva.go("/account")
    expect(password(eva, "New password")).to_be_visible()
    expect(eva.button("Make new codes")).to_be_visible()
    ana = people.guest(demo)
    ana.ask("POST", "demo/continue", {"handle": "ana"})
    ana.go("/account")
    expect(ana.sees("The people of the demo have no password. Anybody can continue as them.")).to_be_visible()
    expect(ana.page.get_by_role("link", name="Set the password")).to_have_count(0)


def test_somebodys_tint_is_the_same_on_every_page(demo: Running, people: People) -> None:
    ana = people.guest(demo)
    ana.go("/")
    tint = "(one) => getComputedStyle(one).backgroundColor"
    card = ana.button("Continue as Ana Sousa")
    before = card.locator(".avatar").evaluate(tint)
    card.click()
    expect(ana.sees("Hello, Ana")).to_be_visible()
    assert ana.page.get_by_role("link", name="Account").locator(".avatar").evaluate(tint) == before


# ---------------------------------------------------------------- the HTTP interface


def test_the_description_of_the_interface_fits_a_phone(hub: Running, people: People) -> None:
    reader = people.guest(hub, **PHONE)
    reader.go("/api/docs")
    expect(reader.page.get_by_role("heading", name="Signing in")).to_be_visible()
    assert reader.page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]


# ---------------------------------------------------------------- a hub for members only


def test_a_hub_for_members_only_promises_guests_nothing(tmp_path: Any, people: People) -> None:
    program = Program(tmp_path / "data", {**UNLIMITED, "HUBCHAT_GUESTS": "false"})
    with program.serving() as hub:
        guest = people.guest(hub)
        guest.go("/")
        expect(guest.page.get_by_role("main")).to_contain_text("read by its members alone")
        expect(guest.page.get_by_role("link", name="Groups")).to_have_count(0)
        expect(guest.page.get_by_text("anyone")).to_have_count(0)
        guest.go("/groups")
        expect(guest.sees("This is for members")).to_be_visible()

        ana = people.member(hub, "Ana")
        group = people.group(ana, visibility="public")
        ana.open_room(group.path)
        expect(ana.page.get_by_text("All members of the hub can read this").first).to_be_visible()
        ana.go("/groups/new")
        expect(ana.page.get_by_role("radio", name="Public")).to_be_visible()
        expect(ana.page.get_by_text("Everyone on the internet")).to_have_count(0)
