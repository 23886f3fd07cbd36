"""What is typed into the search is read as people mean it, and held against texts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubchat.errors import HubError
from hubchat.sought import EXCERPT_CHARS, NOTHING, Sought, Term, excerpt, read_query, read_time, score

DAY = 1_769_817_600_000  # 2026-01-31


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Lung", Sought((Term(("lung",), True),))),
        ("lung cancer", Sought((Term(("lung",)), Term(("cancer",), True)))),
        ("lung lung", Sought((Term(("lung",)), Term(("lung",), True)))),
        ("a", Sought((Term(("a",)),))),
        ('"second opinion"', Sought((Term(("second", "opinion")),))),
        ('lung "second opin', Sought((Term(("lung",)), Term(("second", "opin"))))),
        ("肺癌治療", Sought((Term(("肺癌", "癌治", "治療")),))),
        ("癌 x", Sought((Term(("癌",), True), Term(("x",))))),
        ('"肺癌 治療"', Sought((Term(("肺癌", "癌", "治療")),))),
        ("from:@Ana from:ben dia", Sought((Term(("dia",), True),), people=frozenset({"ana", "ben"}))),
        ('in:lung-cancer in:"~123"', Sought(places=frozenset({"lung-cancer", "~123"}))),
        ("after:2026-01-31 after:2020-01-01", Sought(after=DAY)),
        ("before:2026-01-31T01:00:00+01:00 before:2027-01-01", Sought(before=DAY)),
        ("HAS:link", Sought(with_link=True)),
        ("has:video", Sought((Term(("has",)), Term(("video",), True)))),
        ("to:ana x:", Sought((Term(("to",)), Term(("ana",)), Term(("x",))))),
        ("dia from:ana", Sought((Term(("dia",)),), people=frozenset({"ana"}))),
        ("from:", Sought((Term(("from",), True),))),
        ("?!", NOTHING),
        ('""', NOTHING),
        ("", NOTHING),
    ],
)
def test_a_query_asks_for_this(query: str, expected: Sought) -> None:
    assert read_query(query) == expected


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("after:yesterday", "after: a day"),
        ("before:2026-13-01", "before: a day"),
        ("after:2026-01-31T10:00", "after: a day"),
        ("before:2026-1-1", "before: a day"),
        ("before:٢٠٢٦-٠١-٣١", "before: a day"),
        (" ".join("abcdefghijklmnopqrstuvwxyz0123456789"), "at most 32 words"),
        ("癌治" * 60, "at most 32 words"),
    ],
)
def test_what_cannot_be_meant_is_named(query: str, named: str) -> None:
    with pytest.raises(HubError) as raised:
        read_query(query)
    assert raised.value.reason == "fields_invalid"
    assert raised.value.fields is not None
    assert raised.value.fields["q"].startswith(named)
    assert query not in str(raised.value.body())


def test_times_of_long_ago_and_to_come_are_times() -> None:
    assert read_time("0001-01-01", "after") == 0
    assert read_time("9999-12-31T23:59:59Z", "before") > DAY


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("opinion", "A second opinion.", True),
        ("opin", "A second opinion.", True),
        ('"opin"', "A second opinion.", False),
        ("sec opinion", "A second opinion.", False),
        ('"second opinion"', "second, OPINION", True),
        ('"opinion second"', "second opinion", False),
        ("创 x", "x 创新", True),
        ("新", "创新", True),
        ("创新药", "新的创新药物", True),
        ("创药", "创新药", False),
        ('"x 创新"', "x 创新药", True),
        ("has:link see", "see https://a.b", True),
        ("has:link see", "see a.b", False),
    ],
)
def test_a_text_is_what_is_looked_for_or_not(query: str, text: str, expected: bool) -> None:
    assert (read_query(query).hits(text) is not None) is expected


def shown(query: str, text: str) -> str:
    """An excerpt, its hits in brackets."""
    parts = excerpt(text, read_query(query).hits(text) or [])
    return "".join(f"[{part['text']}]" if part.get("hit") else part["text"] for part in parts)


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("opin", "A second   opinion\nhelps.", "A second [opinion] helps."),
        ('"second opinion" a', "A second opinion", "[A] [second opinion]"),
        ("肺癌治療", "私は肺癌治療中です", "私は[肺癌治療]中です"),
        ("has:link", "  see https://a.b  ", "see https://a.b"),
        ("needle", "hay " * 30 + "needle" + " hay" * 60, None),
        ("needle", "漢" * 200 + " needle " + "漢" * 300, None),
        ("needle", "needle " + "x" * 1_000, None),
    ],
)
def test_an_excerpt_is_cut_around_the_first_hit(query: str, text: str, expected: str | None) -> None:
    found = shown(query, text)
    if expected is not None:
        assert found == expected
        return
    assert "[needle]" in found
    assert len(found) <= EXCERPT_CHARS + len("… []…  ")
    assert found.startswith("…") is not text.startswith("needle")
    assert found.endswith("…")


@given(st.text(alphabet="ab é漢字\u0301\n.", max_size=600), st.text(alphabet="ab é漢", max_size=12))
def test_an_excerpt_holds_what_the_text_holds(text: str, query: str) -> None:
    hits = read_query(query).hits(text)
    if hits is None:
        return
    parts = excerpt(text, hits)
    whole = "".join(part["text"] for part in parts)
    assert " ".join(whole.strip("… ").split()) in " ".join(text.split())
    assert any(part.get("hit") for part in parts) == bool(hits)
    assert all(part["text"] for part in parts)


def test_what_fits_better_comes_first() -> None:
    sought = read_query("lung cancer")

    def points(text: str) -> int:
        hits: Any = sought.hits(text)
        return score(sought, text, hits)

    near, far = "lung cancer " + "word " * 40, "lung " + "word " * 40 + "cancer"
    assert points("lung cancer") > points(near) > points(far)
    assert points("lung cancer") > points("lung cancers")
