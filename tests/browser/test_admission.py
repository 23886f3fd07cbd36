"""The doors of groups: asking, being let in, losing the right to read. Nobody reloads."""

from playwright.sync_api import expect

from tests.browser.people import People
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


def test_who_is_removed_hears_nothing_more(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben", visibility="closed")
    ana.say("Before")
    expect(ben.message("Before")).to_be_visible()
    people.watch(hub).forgive("status of 404")
    ana.ask("DELETE", f"groups/{group.id}/members/{ben.handle}")
    expect(ben.composer).to_be_hidden()
    ana.say("Afterwards")
    expect(ana.message("Afterwards")).to_be_visible()
    ben.page.reload()
    expect(ben.button("Ask to join")).to_be_visible()
    assert "Afterwards" not in ben.page.content()


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
