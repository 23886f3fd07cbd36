"""What would take a community years, written into its tables directly: members, rooms and long histories.

Only while no node runs on the database: nothing of it is published. The rows are those that the verbs leave.
"""

import itertools
import random
import secrets
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from hubchat.access import USUAL_SCOPES, VISIBILITIES, Visibility
from hubchat.actions.tokens import PREFIX, YEAR_MS
from hubchat.storage.accounts import Made, NewAccount, insert_account
from hubchat.storage.channels import set_heads
from hubchat.storage.database import Connection, now_ms
from hubchat.storage.entries import NewEntry, insert_entries
from hubchat.storage.groups import insert_group
from hubchat.storage.sessions import hash_secret
from hubchat.storage.tables import EntryRow, Membership
from hubchat.storage.tokens import insert_token
from load.speech import TEXT_BYTES

CHUNK: Final = 500_000  # entries a transaction: some 200 MB of write-ahead log
PAGE: Final = 5_000  # texts a statement
WORDS: Final = 20_000
TWO_YEARS_MS: Final = 2 * 365 * 86_400_000

_NUMBERS: Final = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i < :last) SELECT i FROM n)",
    "postgresql": "(SELECT i FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n(i))",
}
_NONCES: Final = {  # that look random, as clients make them: an index takes them less kindly than what is counted up
    "sqlite": "lower(hex(randomblob(12)))",
    "postgresql": "md5(CAST(i AS text))",
}
_FILL: Final = (
    "INSERT INTO entry (channel_id, seq, kind, author_id, at, nonce, text) "
    "SELECT CASE (i - 1) % {rooms} {channels} END, (i - 1) / {rooms} + 1, 'message', :author, :at + i, {nonce}, "
    "CAST(:text AS text) FROM {numbers} AS numbers"
)
_SEEN: Final = (  # so that the node is not busy with an index of texts that nobody looks for
    "INSERT INTO fulltext_at (channel_id, seq, tail) VALUES (:channel, :head, 1) "
    "ON CONFLICT (channel_id) DO UPDATE SET seq = excluded.seq"
)
_nonce_index: Final = next(index for index in EntryRow.__table__.indexes if index.name == "entry_nonce")  # type: ignore[attr-defined]  # SQLModel does not type it


def insert_members(connection: Connection, count: int) -> tuple[list[Made], list[str]]:
    """New members, and a token of each."""
    now = now_ms()
    people, tokens = [], []
    for number in range(count):
        made = insert_account(connection, NewAccount(f"crowd-{number}", f"Member {number}", trusted=True), now)
        assert made is not None, "a crowd comes once into a database"
        token = PREFIX + secrets.token_urlsafe(32)
        insert_token(
            connection, made.account_id, hashed=hash_secret(token), name="load", scopes=USUAL_SCOPES,
            expires_at=now + YEAR_MS, now=now,
        )  # fmt: skip
        people.append(made)
        tokens.append(token)
    return people, tokens


def insert_rooms(connection: Connection, count: int, visibility: Visibility = "public") -> list[int]:
    """New groups, which nobody is in yet."""
    made = (
        insert_group(
            connection, presets=VISIBILITIES[visibility], slug=f"{visibility}-crowd-{number}", title=f"Crowd {number}",
            about=None, lang=None, history="all",
        )
        for number in range(count)
    )  # fmt: skip
    return [room.id for room, _ in made]


def insert_memberships(connection: Connection, pairs: Iterable[tuple[int, Made]]) -> None:
    """(room, person) who is in it now."""
    now = now_ms()
    rest: dict[str, Any] = {"role": "member", "state": "member", "joined_at": now, "first_seq": 1, "listed": False}
    rows = [
        {"access_id": room, "account_id": person.account_id, "persona_id": person.persona_id, **rest}
        for room, person in pairs
    ]
    connection.execute(sa.insert(Membership), rows)


def insert_history(connection: Connection, channels: list[int], author: int, first: int, last: int) -> None:
    """Messages `first` to `last` of all these channels together, which take turns as rooms of one hub do.

    Where `last` is a multiple of how many they are, each has as many.
    """
    kind, began_at = connection.dialect.name, now_ms() - last - 1
    turns = " ".join(f"WHEN {turn} THEN {channel}" for turn, channel in enumerate(channels))
    fill = _FILL.format(rooms=len(channels), channels=turns, nonce=_NONCES[kind], numbers=_NUMBERS[kind])
    values = {"author": author, "at": began_at, "text": "x" * TEXT_BYTES}
    connection.execute(sa.text(fill), {**values, "first": first, "last": last})
    head = sa.text("UPDATE channel SET head = :head, head_at = :at WHERE id = :channel")
    heads = [(last - turn - 1) // len(channels) + 1 for turn in range(len(channels))]
    at = began_at + last
    connection.execute(head, [{"head": x, "at": at, "channel": y} for x, y in zip(heads, channels, strict=True)])
    connection.execute(sa.text(_SEEN), [{"channel": x, "head": y} for x, y in zip(channels, heads, strict=True)])


def drop_nonces(connection: Connection) -> None:
    """Forgets the index of nonces, so that `make_nonces` builds it in order: filling is then three times as fast."""
    _nonce_index.drop(connection)


def make_nonces(connection: Connection) -> None:
    """The index as the first migration makes it."""
    _nonce_index.create(connection)


def vocabulary() -> list[str]:
    """Words of a made-up language, as frequent as a language's are: the first most of all."""
    syllables = [one + two for one in "bdfgklmnprstvz" for two in "aeiou"]
    chance = random.Random(1)
    found = dict.fromkeys("".join(chance.choices(syllables, k=chance.randint(1, 5))) for _ in range(3 * WORDS))
    return list(found)[:WORDS]


def insert_texts(connection: Connection, channels: list[int], author: int, count: int, words: list[str]) -> None:
    """So many messages of two years, which take turns in these channels; each of some words, by Zipf's law."""
    chance = random.Random(2)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    now, apart = now_ms(), TWO_YEARS_MS // count
    heads = dict.fromkeys(channels, 0)
    for begin in range(0, count, PAGE):
        rows = []
        for number in range(begin, min(begin + PAGE, count)):
            channel, at = channels[number % len(channels)], now - (count - number) * apart
            heads[channel] += 1
            text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(4, 30)))
            rows.append(NewEntry(channel, heads[channel], "message", author, at, None, None, None, text, None))
        insert_entries(connection, rows)
    set_heads(connection, [(channel, head, now) for channel, head in heads.items()])
