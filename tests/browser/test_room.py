"""What members do with messages: everybody in the room sees it at once."""

import re

from playwright.sync_api import expect

from tests.browser.people import People
from tests.program import Running


def test_a_reply_shows_what_it_answers_and_leads_there(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    ana.say("Who walks on Sunday?")
    ben.act(ben.message("Who walks on Sunday?"), "Reply")
    expect(ben.sees("Reply to Ana")).to_be_visible()
    ben.say("I do")
    answer = ana.message("I do")
    expect(answer.get_by_role("button", name=re.compile("In reply to .*Ana"))).to_contain_text("Who walks on Sunday?")
    answer.get_by_role("button", name=re.compile("In reply to .*Ana")).click()
    expect(ana.messages.first).to_be_focused()


def test_reactions_are_counted_and_taken_back(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    ana.say("The scan was clear")
    ben.react(ben.message("The scan was clear"), "❤️")
    heart = ana.message("The scan was clear").get_by_role("button", name="reacted with ❤️")
    expect(heart).to_have_text("❤️1")
    heart.click()
    expect(heart).to_have_text("❤️2")
    expect(heart).to_have_attribute("aria-pressed", "true")
    theirs = ben.message("The scan was clear").get_by_role("button", name="reacted with ❤️")
    expect(theirs).to_have_text("❤️2")
    theirs.click()
    heart.click()
    for button in (heart, theirs):
        expect(button).to_be_hidden()


def test_an_edit_replaces_the_words_and_its_author_sees_the_former_ones(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    ben.say("We meet at noon")
    ben.act(ben.message("We meet at noon"), "Edit")
    expect(ben.composer).to_have_value("We meet at noon")
    ben.say("We meet at one")
    expect(ana.message("We meet at one")).to_contain_text("(edited)")
    expect(ana.message("We meet at noon")).to_be_hidden()
    ben.message("We meet at one").get_by_role("button", name="(edited)").click()
    expect(ben.page.get_by_role("dialog")).to_contain_text("We meet at noon")


def test_a_deleted_message_is_gone_for_everybody_and_after_a_reload(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    ben.say("Said in haste")
    expect(ana.message("Said in haste")).to_be_visible()
    ben.act(ben.message("Said in haste"), "Delete")
    ben.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    for person in (ana, ben):
        expect(person.message("This message was deleted.")).to_be_visible()
        expect(person.message("Said in haste")).to_be_hidden()
    ana.page.reload()
    expect(ana.message("This message was deleted.")).to_be_visible()
    assert "Said in haste" not in ana.page.content()


def test_a_pin_stands_among_the_details_and_leads_to_its_message(hub: Running, people: People) -> None:
    _, (ana, ben) = people.together(hub, "Ana", "Ben")
    ana.say("Read this first")
    ana.act(ana.message("Read this first"), "Pin")
    ben.page.get_by_role("tab", name="Pinned").click()
    pin = ben.page.get_by_role("tabpanel").get_by_role("button", name="Read this first")
    pin.click()
    expect(ben.messages.filter(has_text="Read this first")).to_be_focused()
    ana.act(ana.message("Read this first"), "Unpin")
    expect(pin).to_be_hidden()


def test_a_mention_is_completed_and_marks_the_line_for_whom_it_names(hub: Running, people: People) -> None:
    group, (ana, ben) = people.together(hub, "Ana", "Ben")
    ben.say("I am new here")
    expect(ana.message("I am new here")).to_be_visible()
    ben.go("/")
    expect(ben.sees("Hello, Ben")).to_be_visible()
    ana.composer.press_sequentially(f"Ask @{ben.handle[:4]}")
    ana.page.get_by_role("option", name="Ben").click()
    expect(ana.composer).to_have_value(f"Ask @{ben.handle} ")
    ana.composer.press_sequentially("about the boots")
    ana.composer.press("Enter")
    expect(ben.page.get_by_role("listitem").filter(has_text=group.title).first).to_contain_text("names you once")
    ben.enter(group.title)
    expect(ben.message("about the boots").locator(".mention.me")).to_have_text(f"@{ben.handle}")


def test_who_is_not_shown_among_the_members_learns_all_the_same_that_a_message_names_them(
    hub: Running, people: People
) -> None:
    ana, ben = people.member(hub, "Ana"), people.member(hub, "Ben")
    group = people.group(ana, ben, title="Quiet readers")  # Ben never wrote: others do not see that he is here
    ben.go("/")
    expect(ben.sees("Hello, Ben")).to_be_visible()
    ana.ask("POST", f"channels/{group.id}/messages", {"text": f"Has @{ben.handle} been told?"})
    ana.ask("POST", f"channels/{group.id}/messages", {"text": f"Not @{ben.handle}-and-others"})
    assert "mentions" not in ana.ask("GET", f"channels/{group.id}/entries")["entries"][0]
    expect(ben.page.get_by_role("listitem").filter(has_text=group.title).first).to_contain_text("names you once")
    ben.enter(group.title)
    marked = ben.feed.locator("article.mention")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("been told?")


def test_two_talk_in_a_conversation_that_nobody_else_sees(hub: Running, people: People) -> None:
    ana, ben, carla = (people.member(hub, name) for name in ("Ana", "Ben", "Carla"))
    people.group(ana, ben, carla)
    talk = ana.ask("POST", "conversations", {"handles": [ben.handle]})["id"]
    for person in (ben, carla):
        person.go("/")
    ana.open_room(f"/conversations/{talk}")
    expect(ana.sees("Only Ben and you can read this")).to_be_visible()
    ana.say("Just between us")
    ben.enter("Ana")
    expect(ben.message("Just between us")).to_be_visible()
    people.watch(hub).forgive("status of 404", f"/{talk}$")
    carla.go(f"/conversations/{talk}")
    expect(carla.sees("This page does not exist")).to_be_visible()
