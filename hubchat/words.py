"""What a text's words are for search: the same on every database, because the databases get them ready made. Pure.

A word is folded: NFKC, without case, without accents. Where a script writes no spaces (Chinese, Japanese), each two
letters that stand together are a word, and the last letter is one more.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

WORD_CHARS: Final = 64  # of a folded word; longer ones are cut, in texts and in queries alike


class Word(NamedTuple):
    """A folded word, and where it stands in the text: text[start:end]."""

    folded: str
    start: int
    end: int


class Run(NamedTuple):
    """Signs without anything between them: a word of letters, or some of a script that writes no spaces."""

    words: list[Word]
    is_dense: bool


_INDIC: Final = "".join(
    f"{chr(at)}-{chr(at + 0x03)}{chr(at + 0x3A)}-{chr(at + 0x4F)}{chr(at + 0x51)}-{chr(at + 0x57)}"
    f"{chr(at + 0x62)}{chr(at + 0x63)}{chr(at + 0x70)}-{chr(at + 0x71)}"
    for at in range(0x900, 0xD80, 0x80)
)
_MARKS: Final = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a"
    f"{_INDIC}\u0d81-\u0d83\u0dca-\u0ddf\u0df2\u0df3\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u0f71-\u0f84\u102b-\u103e\u1056-\u1059\u135d-\u135f\u17b4-\u17d3\u17dd\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0"
    "\ufe00-\ufe0f\ufe20-\ufe2f"
)
"""What stands in a word and is no letter to Python's `\\w`: vowel signs and accents of all scripts in use."""
_JOINERS: Final = "\u00ad\u200b-\u200d\u2060\ufeff"  # inside words, unseen
_DENSE: Final = (
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"(?P<dense>[{_DENSE}]+)|(?:[^\\W{_DENSE}]|[{_MARKS}{_JOINERS}])+")
_PLAIN: Final = re.compile(r"\w+", re.ASCII)
_LETTER: Final = re.compile(f"(?s:.)[\u3099\u309a\uff9e\uff9f{_MARKS}]*")
_WORDLIKE: Final = re.compile(f"[\\w{_MARKS}]")
_UNSEEN: Final = re.compile(f"[{_JOINERS}]")
_LIKE: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe"})
"""Letters that many people type without their stroke, and that Unicode does not take apart."""
_LINK: Final = re.compile(
    r"://\S|\bwww\.\w|mailto:|\]\(|(?<![\w@.-])[\w-]+(?:\.[\w-]+)*\."
    r"(?:app|biz|cc|cn|co|com|de|dev|es|eu|fr|info|io|it|link|ly|me|net|nl|online|org|pl|ru|shop|site|to|top|tv|uk|xyz)\b",
    re.IGNORECASE,
)
"""What clients make a link of. An e-mail address is none: it leads to a person, not to a page."""


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [word for run in runs(text) for word in run.words]


def folded(text: str) -> list[str]:
    """The same without their places: a tenth of the work where a text is plain English."""
    if text.isascii():
        return [word[:WORD_CHARS] for word in _PLAIN.findall(text.lower())]
    return [word.folded for word in words(text)]


def runs(text: str) -> Iterator[Run]:
    """The words by what stands together."""
    for found in _RUN.finditer(text):
        if found["dense"] is not None:
            yield Run(list(_pairs(found[0], found.start())), True)
        elif word := fold(found[0]):
            yield Run([Word(word, found.start(), found.end())], False)


def fold(word: str) -> str:
    """One word as it is compared: at most `WORD_CHARS`, and empty where it had no letter."""
    if word.isascii():
        return word.lower()[:WORD_CHARS]
    seen = unicodedata.normalize("NFKC", _UNSEEN.sub("", word)).casefold()
    apart = unicodedata.normalize("NFD", seen)
    bare = "".join(sign for sign in apart if not _is_accent(unicodedata.combining(sign)))
    whole = unicodedata.normalize("NFKC", bare).translate(_LIKE)
    return "".join(_WORDLIKE.findall(whole))[:WORD_CHARS]


def has_link(text: str) -> bool:
    """Whether a text leads somewhere else."""
    return _LINK.search(text) is not None


def _is_accent(combining: int) -> bool:
    """By its canonical class: accents, and the vowel points of Hebrew and Arabic, which are seldom typed; not the
    vowel signs of scripts that have no word without them (0, 7–9, 84–132)."""
    return combining >= 200 or 10 <= combining <= 36


def _pairs(run: str, at: int) -> Iterator[Word]:
    letters = [(fold(found[0]), at + found.start(), at + found.end()) for found in _LETTER.finditer(run)]
    letters = [letter for letter in letters if letter[0]]
    for (one, start, _), (other, _, end) in pairwise(letters):
        yield Word(one + other, start, end)
    if letters:
        yield Word(*letters[-1])
