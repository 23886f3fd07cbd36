"""Both indexes find the same, and what a plain look at every text finds."""

import random
from collections.abc import Iterable

import pytest
import sqlalchemy as sa

from hubchat.sought import Term, read_query
from hubchat.storage import fulltext
from hubchat.storage.fulltext import LINK, NO_END, Doc, Hit, Wanted, author_mark, channel_mark, fulltext_of, id_from
from hubchat.words import words
from tests.community import Community

CHANNELS, AUTHORS = (11, 12, 13), (7, 8)
VOCABULARY = (
    "lung lungs second opinion the and café 肺癌治療 癌 i'm o\\o a:b a&b x|y (z) !n * NEAR OR c11 <->".split()  # noqa: SIM905  # a list of words is read as words
)
MADE = 150


def made(count: int, chance: random.Random) -> dict[tuple[int, int], Doc]:
    """Texts of some rooms that take turns, several within one ms."""
    found = {}
    for number in range(count):
        channel, seq = CHANNELS[number % 3], number // 3 + 1
        text = " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 6)))
        marks = [channel_mark(channel), author_mark(chance.choice(AUTHORS)), *([LINK] if chance.random() < 0.2 else [])]
        found[channel, seq] = Doc(channel, seq, 1_000 + number // 7, [word.folded for word in words(text)], marks)
    return found


def holds(doc: Doc, wanted: Wanted) -> bool:
    """Whether a text is wanted, looked at by hand."""
    if wanted.channels is not None and doc.channel_id not in wanted.channels:
        return False
    if wanted.authors is not None and not {author_mark(one) for one in wanted.authors} & set(doc.marks):
        return False
    return (LINK in doc.marks or not wanted.with_link) and all(_has(doc.words, term) for term in wanted.terms)


def _has(there: Iterable[str], term: Term) -> bool:
    said = f" {' '.join(there)} "
    return f" {' '.join(term.words)}{'' if term.is_open else ' '}" in said


WANTED = [
    *(Wanted(read_query(query).terms) for query in (
        "the", "lung", "lu", '"lung"', '"second opinion"', "opinion second", "cafe", "癌", "肺癌治療", "治療", "i'm",
        "o\\o", "a:b", "a&b", "x|y", "(z)", "!n", "near", "or", "and the lung", '"the the"', "c11", "nothing",
        '"second opin"', "the lung and or",
    )),
    Wanted(authors=frozenset({7})),
    Wanted(authors=frozenset({7, 8}), with_link=True, terms=read_query("the").terms),
    Wanted(channels=frozenset({11})),
    Wanted(channels=frozenset({11, 13}), terms=read_query("the").terms),
    Wanted(channels=frozenset({12, 99}), terms=read_query('"second opinion"').terms, authors=frozenset({8})),
    Wanted(),
]  # fmt: skip


async def test_what_is_found_is_what_is_there(hub: Community, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(4)
    docs = made(MADE, chance)
    changed = {key: made(1, chance)[11, 1]._replace(channel_id=key[0], seq=key[1], marks=doc.marks, at=doc.at)
               for key, doc in list(docs.items())[::9]}  # fmt: skip
    gone = list(docs)[::11]

    def write(connection: sa.Connection) -> None:
        index = fulltext_of(connection)
        for begin in range(0, MADE, 40):
            index.put(connection, list(docs.values())[begin : begin + 40])
        index.put(connection, list(changed.values()))
        ids = fulltext.find_docs(connection, gone)
        assert len(ids) == len(gone)
        index.drop(connection, list(ids.values()))

    await hub.node.database.write(write)
    there = {key: doc for key, doc in {**docs, **changed}.items() if key not in gone}

    def look(connection: sa.Connection) -> None:
        def seek(wanted: Wanted, above: int, below: int, limit: int) -> list[Hit]:
            return fulltext_of(connection).seek(connection, wanted, above=above, below=below, limit=limit)

        for wanted in WANTED:
            everything = seek(wanted, 0, NO_END, 1_000)
            expected = {key for key, doc in there.items() if holds(doc, wanted)}
            assert {hit[1:] for hit in everything} == expected, wanted
            assert [hit.id for hit in everything] == sorted({hit.id for hit in everything}, reverse=True)
            assert [hit.id >> 10 for hit in everything] == [there[hit[1:]].at for hit in everything]
            middle = id_from(1_000 + MADE // 14)
            for above, below in ((0, middle), (middle, NO_END)):
                part = [hit for hit in everything if above <= hit.id < below]
                assert seek(wanted, above, below, 1_000) == part
                assert seek(wanted, above, below, 3) == part[:3]

    for walked, marked in ((2_000, 256), (10, 1)):  # as usual; and where there are more texts, and more channels
        monkeypatch.setattr(fulltext, "WALKED", walked)
        monkeypatch.setattr(fulltext, "MARKED", marked)
        await hub.read(look)


async def test_an_emptied_index_is_filled_again_and_texts_of_one_moment_all_have_a_place(hub: Community) -> None:
    docs = list(made(30, random.Random(1)).values())

    def refill(connection: sa.Connection) -> tuple[list[Hit], list[Hit]]:
        index = fulltext_of(connection)
        index.put(connection, docs)
        index.empty(connection)
        none = index.seek(connection, Wanted(), above=0, below=NO_END, limit=100)
        none += index.seek(connection, Wanted(read_query("the").terms), above=0, below=NO_END, limit=100)
        index.put(connection, docs)
        return none, index.seek(connection, Wanted(), above=0, below=NO_END, limit=100)

    none, everything = await hub.node.database.write(refill)
    assert none == []
    assert len(everything) == 30

    docs = [Doc(channel, seq, 5, ["word"], []) for channel in range(1, 5) for seq in (1, 1_023, 1_024, 2_047)]

    def put(connection: sa.Connection) -> list[Hit]:
        for doc in docs:
            fulltext_of(connection).put(connection, [doc])
        fulltext_of(connection).put(connection, docs)
        return fulltext_of(connection).seek(connection, Wanted(), above=id_from(5), below=id_from(7), limit=100)

    assert {hit[1:] for hit in await hub.node.database.write(put)} == {doc[:2] for doc in docs}
