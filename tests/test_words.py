"""Words are the same however people type them, in any script, and are found again where they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubchat.words import WORD_CHARS, fold, folded, has_link, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Second OPINION, please!", ["second", "opinion", "please"]),
        ("Müller, Søren & Łódź: crème brûlée", ["muller", "soren", "lodz", "creme", "brulee"]),
        ("cafe\u0301 = café", ["cafe", "cafe"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ＦＯＬＦＯＸ ﬁne x²", ["folfox", "fine", "x2"]),
        ("İstanbul ılık", ["istanbul", "ilik"]),
        ("Ελλάδα ΕΛΛΆΔΑ й ё", ["ελλαδα", "ελλαδα", "и", "е"]),
        ("שָׁלוֹם مَرْحَبًا", ["שלום", "مرحبا"]),
        ("हिन्दी में कैंसर", ["हिन्दी", "में", "कैंसर"]),
        ("co\u00adoperate می\u200cروم", ["cooperate", "میروم"]),
        ("한국어 암", ["한국어", "암"]),
        ("肺癌治療", ["肺癌", "癌治", "治療", "療"]),
        ("癌", ["癌"]),
        ("がんとｶﾞﾝ", ["がん", "んと", "とガ", "ガン", "ン"]),
        ("IL6受体 v2_1", ["il6", "受体", "体", "v2_1"]),
        ("👋 ... -- *", []),
        ("", []),
    ],
)
def test_a_text_has_these_words(text: str, expected: list[str]) -> None:
    assert folded(text) == expected


def test_a_word_stands_where_it_says() -> None:
    text = "Is Crème good? 肺癌治"
    assert [text[word.start : word.end] for word in words(text)] == ["Is", "Crème", "good", "肺癌", "癌治", "治"]


def test_a_word_without_an_end_is_cut() -> None:
    assert folded("x" * 10_000) == ["x" * WORD_CHARS]
    assert folded("é" * 10_000) == ["e" * WORD_CHARS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://example.org/x", True),
        ("WWW.example.org", True),
        ("[here](http://a.b)", True),
        ("https:// no", False),
        ("awww. yes", False),
        ("mail me@example.org", False),
    ],
)
def test_a_link_is_known(text: str, expected: bool) -> None:
    assert has_link(text) is expected


@given(st.text(max_size=80))
def test_no_word_breaks_what_databases_are_told(text: str) -> None:
    found = words(text)
    assert folded(text) == [word.folded for word in found]
    for word in found:
        assert 0 < len(word.folded) <= 2 * WORD_CHARS
        assert not set(word.folded) & set(" '\"#\\:*()&|!<>\0"), "a quote or a mark would be read as such"
        assert fold(word.folded) == word.folded or len(word.folded) == 2, "what is folded stays as it is"
        assert 0 <= word.start < word.end <= len(text)
    assert [word.start for word in found] == sorted(word.start for word in found)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=200))
def test_plain_english_has_no_other_words(text: str) -> None:
    assert folded(text) == [word.folded for word in words(text)]
