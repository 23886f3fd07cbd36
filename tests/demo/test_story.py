"""The story holds together: who speaks is there, and everything is plainly invented."""

import re
import unicodedata

import pytest

from hubchat.actions.groups import check_slug, check_title
from hubchat.actions.names import read_about, read_name, require_handle
from hubchat.channels.addressed import handles
from hubchat.demo.story import DAY_MS, Line, Place, Story, Talk, read_people, read_small_talk, read_story
from hubchat.wire import check_emoji, check_text

NOW = 1_790_000_000_000
INVENTED = re.compile("invented|erfunden")


@pytest.fixture(scope="module")
def story() -> Story:
    return read_story(NOW)


def everything(story: Story) -> list[tuple[Place | Talk, tuple[str, ...], Line]]:
    """Every line, with where it is said and who is there."""
    rooms = [(place, place.everybody, line) for place in story.places for line in place.lines]
    talks = [(talk, talk.people, line) for talk in story.talks for line in talk.lines]
    return [*rooms, *talks]


def test_it_is_a_community_of_some_size(story: Story) -> None:
    assert 15 <= len([person for person in story.people if not person.bot]) <= 18
    assert len([person for person in story.people if person.bot]) == 2
    assert len(story.places) == 8
    assert {place.visibility for place in story.places} == {"public", "open", "closed", "secret"}
    assert len(everything(story)) > 200


def test_it_is_plainly_invented_wherever_one_looks(story: Story) -> None:
    for place in story.places:
        assert INVENTED.search(place.about)
        first = place.lines[0]
        assert first.pin
        assert INVENTED.search(first.text)


def test_many_scripts_are_written(story: Story) -> None:
    written = "".join(line.text for _, _, line in everything(story))
    scripts = {unicodedata.name(char).split()[0] for char in set(written) if char.isalpha()}
    assert {"LATIN", "GREEK", "CYRILLIC", "ARABIC"} <= scripts


def test_everybody_could_have_signed_up(story: Story) -> None:
    for person in story.people:
        require_handle(person.handle)
        assert read_name(person.name) == person.name
        assert read_about(person.about) == person.about


def test_every_group_could_have_been_made(story: Story) -> None:
    known = {person.handle for person in story.people}
    for place in story.places:
        check_title(place.title)
        assert (place.slug is None) == (place.visibility == "secret")
        if place.slug is not None:
            check_slug(place.slug)
        waiting = {*place.invited, *(handle for handle, _ in place.asking)}
        assert {*place.everybody, *waiting} <= known
        assert waiting.isdisjoint(place.everybody)


def test_who_speaks_reacts_or_is_named_is_there(story: Story) -> None:
    for _, people, line in everything(story):
        assert {line.by, *handles(line.text), *(one for _, who in line.reactions for one in who)} <= set(people), line


def test_every_line_could_have_been_sent(story: Story) -> None:
    for _, _, line in everything(story):
        check_text("text", line.text)
        for emoji, _ in line.reactions:
            check_emoji("emoji", emoji)


def test_answers_follow_what_they_answer(story: Story) -> None:
    for lines in [*(place.lines for place in story.places), *(talk.lines for talk in story.talks)]:
        said: set[str] = set()
        for line in lines:
            assert line.to is None or line.to in said, line
            said |= {line.name} if line.name else set()


@pytest.mark.parametrize("hour", range(24))
def test_at_any_hour_the_story_lies_behind_and_in_order(hour: int) -> None:
    now = NOW - NOW % DAY_MS + hour * DAY_MS // 24
    story = read_story(now)
    for lines in [*(place.lines for place in story.places), *(talk.lines for talk in story.talks)]:
        times = [line.at for line in lines]
        assert times == sorted(times)
        assert story.founded_at + DAY_MS < times[0]
        assert times[-1] < now


def test_the_programs_have_something_to_say() -> None:
    assert len(read_small_talk()) >= 20
    assert all(said and answered for said, answered in read_small_talk())


def test_people_come_in_the_order_they_are_offered() -> None:
    assert [person.handle for person in read_people()][:2] == ["ana", "ben"]
