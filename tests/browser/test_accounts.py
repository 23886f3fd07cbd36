"""Coming in and going out: signing up, recovery codes, signing in and out, as people see it."""

from playwright.sync_api import expect

from tests.browser.people import People, numbers
from tests.browser.person import PASSWORD
from tests.program import Running


def test_who_signs_up_is_told_of_a_weak_password_and_gets_recovery_codes_once(hub: Running, people: People) -> None:
    ana = people.guest(hub)
    people.watch(hub).forgive("status of 4", "/api/v1/signup")
    ana.go("/")
    ana.link("Join the hub").click()
    ana.page.get_by_label("Name", exact=True).fill("Ana Sousa")
    ana.page.get_by_label("Handle").fill(handle := f"ana-{next(numbers)}")
    ana.page.get_by_label("Password", exact=True).fill("password12")
    ana.page.get_by_label("I treat others kindly").check()
    join = ana.button("Join the hub")
    join.click()
    expect(ana.page.get_by_text("easy to guess").first).to_be_visible()
    ana.page.get_by_label("Password", exact=True).fill(PASSWORD)
    join.click()

    codes = ana.page.get_by_role("list", name="Recovery codes").get_by_role("listitem")
    expect(codes).to_have_count(10)
    assert len(set(codes.all_inner_texts())) == 10
    go_on = ana.button("Go on")
    expect(go_on).to_be_disabled()
    ana.page.get_by_label("I have kept them").check()
    go_on.click()
    expect(ana.sees("Hello, Ana")).to_be_visible()
    ana.page.reload()
    expect(ana.sees("Hello, Ana")).to_be_visible()
    assert ana.ask("GET", "me")["handle"] == handle


def test_a_guest_and_an_address_that_leads_nowhere_leave_the_console_clean(hub: Running, people: People) -> None:
    guest = people.guest(hub)
    asked: list[str] = []
    guest.page.on("request", lambda request: asked.append(request.url.removeprefix(hub.url)))
    guest.go("/")
    expect(guest.sees("Welcome to hubchat")).to_be_visible()
    guest.go("/nowhere")
    expect(guest.sees("This page does not exist")).to_be_visible()
    assert "/api/v1/hub" in asked
    assert "/api/v1/me" not in asked
    assert people.watch(hub).seen == []


def test_a_wrong_password_is_told_and_the_right_one_lets_in(hub: Running, people: People) -> None:
    ana = people.member(hub, "Ana")
    people.watch(hub).forgive("status of 401", "/api/v1/session")
    ana.go("/account")
    ana.button("Sign out").click()
    expect(ana.sees("Welcome to hubchat")).to_be_visible()
    ana.go("/sign-in")
    for password in ("not-her-password", PASSWORD):
        ana.page.get_by_label("Handle").fill(ana.handle)
        ana.page.get_by_label("Password", exact=True).fill(password)
        ana.button("Sign in").click()
        if password != PASSWORD:
            expect(ana.sees("The handle or the password is not right. Please check both.")).to_be_visible()
    expect(ana.sees("Hello, Ana")).to_be_visible()


def test_signing_out_takes_drafts_off_the_device(hub: Running, people: People) -> None:
    _, (ana,) = people.together(hub, "Ana")
    ana.composer.fill("Nobody else reads this")
    expect(ana.composer).to_have_value("Nobody else reads this")
    assert "Nobody else" in ana.page.evaluate("JSON.stringify({ ...localStorage })")
    ana.go("/account")
    ana.button("Sign out").click()
    expect(ana.sees("Welcome to hubchat")).to_be_visible()
    assert ana.page.evaluate("JSON.stringify({ ...localStorage })") == "{}"


def test_a_session_ended_elsewhere_leaves_a_guest_who_is_told_and_can_sign_in_again(
    hub: Running, people: People
) -> None:
    group, (ana,) = people.together(hub, "Ana", visibility="public")
    people.watch(hub).forgive("status of 401", "/api/v1/me$")  # asked with the cookie of what has ended, once
    ana.say("In public")
    expect(ana.message("In public")).to_be_visible()
    other = people.guest(hub)
    other.ask("POST", "session", {"login": ana.handle, "password": PASSWORD})
    (session,) = (one["id"] for one in other.ask("GET", "me/sessions")["items"] if not one["current"])
    other.ask("DELETE", f"me/sessions/{session}")

    expect(ana.banner).to_contain_text("You have been signed out. Please sign in again.")
    expect(ana.composer).to_be_hidden()
    ana.open_room(group.path)
    expect(ana.message("In public")).to_be_visible()
    other.ask("POST", f"channels/{group.id}/messages", {"text": "And live"})
    expect(ana.message("And live")).to_be_visible()
    ana.go("/sign-in")
    ana.page.get_by_label("Handle").fill(ana.handle)
    ana.page.get_by_label("Password", exact=True).fill(PASSWORD)
    ana.button("Sign in").click()
    expect(ana.sees("Hello, Ana")).to_be_visible()
