"""The doors of groups: asking, being let in, losing the right to read. Nobody reloads."""

import pytest
from playwright.sync_api import expect

from tests.browser.people import People
from tests.browser.person import words
from tests.browser.test_phone import PHONE
from tests.program import Running

WORD = "My sister was diagnosed in May."


def test_a_closed_group_is_asked_and_its_door_opens_by_itself(hub: Running, people: People) -> None:
    group, (ana,) = people.together(hub, "Ana", visibility="closed")
    ana.say("Only for us")
    ben = people.member(hub, "Ben")
    ben.go("/groups")
    ben.page.locator(f'a[href="{group.path}"]').click()
    expect(ben.sees("Only members can read what is written here.")).to_be_visible()
    ben.page.get_by_label("A word to the owners").fill(WORD)
    ben.button("Ask to join").click()
    expect(ben.sees("Your request is with the owners")).to_be_visible()
    assert "Only for us" not in ben.page.content()

    ana.page.get_by_role("tab", name="People").click()
    requests = ana.page.get_by_role("region", name="Requests")
    expect(requests).to_contain_text(WORD)
    requests.get_by_role("button", name="Let in").click()
    expect(ben.message("Only for us")).to_be_visible()
    ben.say("Thank you")
    expect(ana.message("Thank you")).to_be_visible()
    expect(requests).to_be_hidden()


def test_the_owner_decides_from_the_home_page_too(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, visibility="closed", title="Night shift")
    ana.go("/")
    expect(ana.sees("Hello, Ana")).to_be_visible()
    ben.ask("POST", f"groups/{group.id}/join", {"word": WORD})
    expect(ana.page.get_by_text(WORD)).to_be_visible()
    ana.button("Decline").click()
    expect(ana.page.get_by_text(WORD)).to_be_hidden()
    ben.go(group.path)
    expect(ben.button("Ask to join")).to_be_visible()


def test_who_is_removed_is_told_at_once_keeps_their_words_and_may_ask_again(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben", visibility="closed")
    ana.say("Before")
    expect(ben.message("Before")).to_be_visible()
    ben.composer.fill("Half a sentence")
    people.watch(hub).forgive("status of 404")
    ana.ask("DELETE", f"groups/{group.id}/members/{ben.handle}")
    for _ in ("at once", "after a reload"):
        told = ben.page.get_by_role("alert").filter(has_text="You were removed from this group")
        expect(told).to_contain_text("You can ask to come back.")
        expect(ben.composer).to_be_hidden()
        expect(ben.page.get_by_role("region", name="was sent to nobody")).to_contain_text("Half a sentence")
        expect(ben.page.get_by_role("complementary").get_by_role("link", name=group.title)).to_be_hidden()
        expect(ben.sees("Nothing has been written yet")).to_be_hidden()
        ana.say("Afterwards")
        expect(ana.message("Afterwards").last).to_be_visible()
        assert "Afterwards" not in ben.page.content()
        ben.page.reload()
    ben.button("Ask to join").click()
    expect(ben.sees("Your request is with the owners")).to_be_visible()
    ana.ask("POST", f"groups/{group.id}/requests/{ben.handle}", {"decision": "approve"})
    expect(ben.composer).to_have_value("Half a sentence")
    expect(ben.sees("You were removed from this group")).to_be_hidden()


def test_the_focus_goes_from_the_composer_to_what_is_told(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben", visibility="closed")
    ben.composer.focus()
    people.watch(hub).forgive("status of 404")
    ana.ask("DELETE", f"groups/{group.id}/members/{ben.handle}")
    expect(ben.page.get_by_role("alert").filter(has_text="You were removed")).to_be_focused()


@pytest.mark.parametrize("visibility", ["closed", "secret"])
def test_who_is_banned_is_told_and_offered_no_way_that_is_shut(hub: Running, people: People, visibility: str) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, visibility=visibility, title="Night watch")
    ana.ask("POST", f"groups/{group.id}/invites", {"handle": ben.handle})
    ben.ask("POST", f"groups/{group.id}/join", {})
    ben.open_room(group.path if visibility == "closed" else f"/groups/~{group.id}")
    ben.composer.fill("Half a sentence")
    people.watch(hub).forgive("status of 404")
    ana.ask("PUT", f"groups/{group.id}/bans/{ben.handle}")
    for _ in ("at once", "after a reload"):
        expect(ben.page.get_by_role("heading", name="Night watch", level=1)).to_be_visible()
        expect(ben.sees("You were banned from this group")).to_be_visible()
        expect(ben.page.get_by_role("status").filter(has_text="You were banned")).to_have_count(0)  # told once
        expect(ben.page.get_by_text("Half a sentence")).to_be_visible()
        expect(ben.composer).to_be_hidden()
        expect(ben.button("Ask to join")).to_be_hidden()
        ben.page.reload()
    ben.go("/")
    news = ben.page.get_by_role("region", name="News")
    expect(news).to_contain_text("You were banned from")
    with ben.page.expect_response("**/read"):
        news.get_by_role("button", name="Got it").click()
    expect(news).to_be_hidden()
    people.watch(hub).forgive("status of 404")
    ben.page.reload()
    expect(ben.sees("Hello, Ben")).to_be_visible()
    expect(ben.page.get_by_role("heading", name="Welcome")).to_be_visible()
    expect(news).to_be_hidden()


def test_who_is_banned_from_a_public_group_reads_on_and_is_not_sent_to_a_shut_door(
    hub: Running, people: People
) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben", visibility="public")
    ana.say("For all")
    expect(ben.message("For all")).to_be_visible()
    ana.ask("PUT", f"groups/{group.id}/bans/{ben.handle}")
    expect(ben.page.get_by_role("alert").filter(has_text="You were banned")).to_contain_text("You can still read it.")
    expect(ben.composer).to_be_hidden()
    expect(ben.button("Join")).to_be_hidden()
    ana.say("Still for all")
    expect(ben.message("Still for all")).to_be_visible()


def test_a_request_is_seen_wherever_one_is_and_can_be_taken_back(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, visibility="closed", title="Night shift")
    ben.go(group.path)
    ben.button("Ask to join").click()
    expect(ben.sees("Your request is with the owners")).to_be_visible()
    listed = ben.page.get_by_role("complementary").get_by_role("link", name="Night shift")
    expect(listed).to_contain_text("You asked to join")
    ben.button("Take the request back").click()
    expect(ben.button("Ask to join")).to_be_visible()
    expect(listed).to_be_hidden()
    ben.button("Ask to join").click()
    ben.link("Home").click()
    mine = ben.page.get_by_role("region", name="You asked to join")
    expect(mine).to_contain_text("Night shift")
    mine.get_by_role("button", name="Take back").click()
    expect(mine).to_be_hidden()
    assert ana.ask("GET", f"groups/{group.id}/requests")["items"] == []


def test_the_answer_to_a_request_is_told_wherever_one_is(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    night, day = (people.group(ana, visibility="closed", title=f"{name} shift") for name in ("Night", "Day"))
    for group in (night, day):
        ben.ask("POST", f"groups/{group.id}/join", {})
    ben.go("/groups")
    listed = ben.page.get_by_role("complementary").get_by_role("link", name="Night shift")
    cards = {
        one: ben.page.get_by_role("article").filter(has=ben.page.locator(f'a[href="{one.path}"]'))
        for one in (night, day)
    }
    card = cards[night]
    expect(card).to_contain_text("You asked to join")
    ana.ask("POST", f"groups/{night.id}/requests/{ben.handle}", {"decision": "approve"})
    expect(ben.page.get_by_role("status").filter(has_text="You are in")).to_contain_text("Night shift")
    expect(card).not_to_contain_text("You asked to join")
    expect(listed).not_to_contain_text("You asked to join")
    ana.ask("POST", f"groups/{day.id}/requests/{ben.handle}", {"decision": "decline"})
    expect(cards[day]).not_to_contain_text("You asked to join")
    expect(ben.page.get_by_role("complementary").get_by_role("link", name="Day shift")).to_be_hidden()
    ben.page.goto(f"{hub.url}/")
    news = ben.page.get_by_role("region", name="News")
    expect(news.get_by_role("listitem")).to_have_count(2)
    expect(news).to_contain_text("was declined")
    news.get_by_role("link", name="Open").click()
    expect(ben.composer).to_be_visible()


def test_who_decides_sees_that_somebody_asks(hub: Running, people: People) -> None:
    group, (ana,) = people.together(hub, "Ana", visibility="closed")
    ben = people.member(hub, "Ben")
    ben.ask("POST", f"groups/{group.id}/join", {"word": WORD})
    home = ana.page.get_by_role("navigation").get_by_role("link", name="Home")
    expect(home).to_contain_text("1 thing waits for you")
    expect(ana.page.get_by_role("complementary").get_by_role("link", name=group.title)).to_contain_text(
        "1 person asks to join"
    )
    ana.button("1 person asks to join").click()
    requests = ana.page.get_by_role("region", name="Requests")
    expect(requests).to_contain_text(WORD)
    requests.get_by_role("button", name="Decline").click()
    expect(ana.button("1 person asks to join")).to_be_hidden()
    expect(home).not_to_contain_text("waits for you")


def test_an_invitation_on_a_phone_says_who_invites_and_can_be_declined(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben", **PHONE)
    group = people.group(ana, visibility="secret", title="Night watch")
    ana.ask("POST", f"groups/{group.id}/invites", {"handle": ben.handle})
    ben.go("/")
    waiting = ben.page.get_by_role("region", name="Waiting for you")
    expect(waiting).to_contain_text("Night watch")
    expect(waiting.get_by_text(words("Ana invites you to this group."))).to_be_visible()
    waiting.get_by_role("button", name="Decline").tap()
    expect(waiting).to_be_hidden()
    assert not [one for one in ben.ask("GET", "channels")["items"] if one["id"] == group.id]


def test_an_invitation_by_link_leads_into_a_secret_group(hub: Running, people: People) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, visibility="secret", title="Night watch")
    ana.open_room(f"/groups/~{group.id}")
    ana.page.get_by_role("tab", name="People").click()
    ana.button("Invite somebody").click()
    dialog = ana.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make a link").click()
    link = dialog.get_by_label("Invitation link").inner_text()
    assert link.startswith(f"{hub.url}/join#")
    ben.page.goto(link)
    expect(ben.sees("Ana invites you to")).to_be_visible()
    ben.button("Join this group").click()
    ben.say("Here I am")
    ana.page.keyboard.press("Escape")
    expect(ana.message("Here I am")).to_be_visible()
