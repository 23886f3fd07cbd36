"""What somebody looks for: read from what they typed, and held against texts as they are now. Pure.

    lung "second opinion" from:ana in:lung-cancer after:2026-01-31 has:link dia

All of it has to hold. Words in quotes stand side by side in that order; the last word, unless quoted, may be the
beginning of one. Several `from:` mean any of them, as several `in:` do; a filter that is not known is a word.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final, NamedTuple, NotRequired

from typing_extensions import TypedDict

from hubchat.errors import HubError
from hubchat.words import Run, Word, has_link, runs, words

QUERY_CHARS: Final = 400  # a long sentence; nobody types more
TERMS: Final = 32  # each is a list to be read
TERM_WORDS: Final = 64  # of all terms together: a pasted line in Chinese has as many
BEGINNING: Final = 2  # letters before a last word counts as a beginning: one alone begins a tenth of all words
EXCERPT_CHARS: Final = 220
BEFORE_CHARS: Final = 60  # shown before the first hit

_PART: Final = re.compile(
    r"(?P<filter>from|in|before|after|has):(?:\"(?P<quoted>[^\"]*)\"?|(?P<value>\S+))|\"(?P<phrase>[^\"]*)\"?|(?P<plain>[^\s\"]+)",
    re.IGNORECASE,
)
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d))?", re.IGNORECASE | re.ASCII
)
_SPACE: Final = re.compile(r"\s+")


class Term(NamedTuple):
    """Folded words that stand side by side. `is_open`: the last is the beginning of one, or all of it."""

    words: tuple[str, ...]
    is_open: bool = False


class Part(TypedDict):
    """A piece of an excerpt; `hit` is what was looked for."""

    text: str
    hit: NotRequired[bool]


class Sought(NamedTuple):
    """A query. `people` are handles, `places` slugs, `~ID` or kinds: None where any will do. Times are ms."""

    terms: tuple[Term, ...] = ()
    people: frozenset[str] | None = None
    places: frozenset[str] | None = None
    after: int | None = None
    before: int | None = None
    with_link: bool = False

    @property
    def is_empty(self) -> bool:
        return self == NOTHING

    def hits(self, text: str) -> list[list[Word]] | None:
        """Where each term stands in a text; None where the text is not what is looked for."""
        if self.with_link and not has_link(text):
            return None
        if not self.terms:
            return []
        there = words(text)
        found = [_occurrences(term, there) for term in self.terms]
        return found if all(found) else None


NOTHING: Final = Sought()
"""What an empty query asks for."""


def read_query(query: str) -> Sought:
    """What a query asks for. Raises `fields_invalid`, which names what is wrong with it."""
    terms: list[Term] = []
    people: set[str] = set()
    places: set[str] = set()
    after: int | None = None
    before: int | None = None
    with_link = False
    is_plain = False  # what it ends with
    for part in _PART.finditer(query):
        is_plain = False
        name, value = (part["filter"] or "").lower(), part["quoted"] if part["value"] is None else part["value"]
        if name == "from":
            people.add(handle_of(value))
        elif name == "in":
            places.add(value.strip().lower())
        elif name == "after":
            after = max(read_time(value, "q", "after:"), after or 0)
        elif name == "before":
            found = read_time(value, "q", "before:")
            before = found if before is None else min(found, before)
        elif name == "has" and value.lower() == "link":
            with_link = True
        elif part["phrase"] is not None:
            terms += _phrase(part["phrase"])
        else:
            terms += _plain(part[0])
            is_plain = True
    if terms and is_plain:  # it may not be typed to its end
        terms[-1] = _opened(terms[-1])
    if len(terms) > TERMS or sum(len(term.words) for term in terms) > TERM_WORDS:
        raise HubError("fields_invalid", fields={"q": f"at most {TERMS} words"})
    return Sought(tuple(dict.fromkeys(terms)), _some(people), _some(places), after, before, with_link)


def handle_of(value: str) -> str:
    """The handle that is meant, as people write it."""
    return value.strip().removeprefix("@").lower()


def read_time(value: str, field: str, what: str = "") -> int:
    """A day (its beginning in UTC) or an RFC 3339 time, in ms. Raises `fields_invalid` for the field."""
    value = value.strip()
    try:
        if not _TIME.fullmatch(value):
            raise ValueError("another form")
        if len(value) == len("2026-01-31"):
            found = datetime.combine(date.fromisoformat(value), time(), UTC)
        else:
            found = datetime.fromisoformat(value.upper())
        return max(0, int(found.timestamp() * 1_000))
    except (ValueError, OverflowError):
        raise HubError(
            "fields_invalid", fields={field: f"{what} a day (2026-01-31) or an RFC 3339 time".strip()}
        ) from None


def _some(values: set[str]) -> frozenset[str] | None:
    return frozenset(values) if values else None


def _plain(text: str) -> list[Term]:
    return [_term([run]) for run in runs(text)]


def _phrase(text: str) -> list[Term]:
    found = list(runs(text))
    return [_term(found)] if found else []


def _term(found: Sequence[Run]) -> Term:
    """Side by side: the pairs of a dense run that ends the term say already what its last letter is."""
    *before, last = found
    folded = [word.folded for run in before for word in run.words]
    if not last.is_dense:
        return Term((*folded, *(word.folded for word in last.words)))
    if len(last.words) == 1:  # one letter, which may begin a pair
        return Term((*folded, last.words[0].folded), is_open=True)
    return Term((*folded, *(word.folded for word in last.words[:-1])))


def _opened(term: Term) -> Term:
    return term._replace(is_open=term.is_open or (len(term.words) == 1 and len(term.words[0]) >= BEGINNING))


def _occurrences(term: Term, there: Sequence[Word]) -> list[Word]:
    *before, last = term.words
    found = []
    for end in range(len(before), len(there)):
        folded = there[end].folded
        if not (folded.startswith(last) if term.is_open else folded == last):
            continue
        begin = end - len(before)
        if all(there[begin + i].folded == word for i, word in enumerate(before)):
            found.append(Word(folded, there[begin].start, there[end].end))
    return found


# ---------------------------------------------------------------- how well it fits


def score(sought: Sought, text: str, hits: Sequence[Sequence[Word]]) -> int:
    """How well a text fits, in thousandths: how often each term is there for a text of its length, whether a word is
    meant whole, and whether all stand close together. It follows from the text alone, so a page stays where it was."""
    if not hits:
        return 0
    length = 0.25 + 0.75 * len(text) / 200
    points = 0.0
    for term, found in zip(sought.terms, hits, strict=True):
        points += len(found) / (len(found) + 1.2 * length)
        points += 0.5 if any(word.folded == term.words[-1] for word in found) else 0.0
    firsts = sorted(found[0].start for found in hits)
    points += 1.0 / (1.0 + (firsts[-1] - firsts[0]) / 100) if len(firsts) > 1 else 0.0
    return int(1_000 * points / len(hits))


# ---------------------------------------------------------------- what is shown


def excerpt(text: str, hits: Sequence[Sequence[Word]]) -> list[Part]:
    """A piece of the text around the first hit, in parts; spaces are one, and what is left out is `…`."""
    spans = _joined(sorted((word.start, word.end) for found in hits for word in found))
    at = begin = _beginning(text, spans[0][0] if spans else 0)
    end = _end(text, begin)
    parts: list[Part] = []
    if text[:begin].strip():
        _add(parts, "… ")
    for start, stop in spans:
        if start >= end:
            break
        _add(parts, text[at:start])
        _add(parts, text[start : min(stop, end)], hit=True)
        at = min(stop, end)
    _add(parts, text[at:end])
    if text[end:].strip():
        _add(parts, " …")
    return parts


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch or overlap as one."""
    made: list[tuple[int, int]] = []
    for start, end in spans:
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def _beginning(text: str, hit: int) -> int:
    """Behind a space some words before the hit; where there is none, at a whole letter."""
    wanted = max(0, hit - BEFORE_CHARS)
    if space := _SPACE.search(text, wanted, hit) if wanted else _SPACE.match(text):
        return space.end()
    while wanted < hit and unicodedata.category(text[wanted])[0] in "MC":
        wanted += 1
    return wanted


def _end(text: str, begin: int) -> int:
    """Before the last space in the excerpt's second half, or behind a whole letter; or all that is left."""
    wanted = begin + EXCERPT_CHARS
    if wanted >= len(text):
        return len(text.rstrip())
    if spaces := list(_SPACE.finditer(text, begin + EXCERPT_CHARS // 2, wanted)):
        return spaces[-1].start()
    while wanted > begin + 1 and unicodedata.category(text[wanted])[0] in "MC":
        wanted -= 1
    return wanted


def _add(parts: list[Part], text: str, *, hit: bool = False) -> None:
    text = _SPACE.sub(" ", text)
    if text and hit:
        parts.append({"text": text, "hit": True})
    elif text and parts and not parts[-1].get("hit"):
        parts[-1]["text"] += text
    elif text:
        parts.append({"text": text})
