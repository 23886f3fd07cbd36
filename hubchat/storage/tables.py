"""Every table. Times (`…_at`, `at`) are whole ms since 1970; ids are random whole numbers below 2^53.

Who signs in is an account, who is seen is a persona: every `author_id`, `persona_id` may leave the server,
no `account_id` ever does.
"""

from typing import Any, ClassVar, Final

from sqlalchemy import Boolean, Column, Index, Integer, Text, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from hubchat.storage import duty_tables as duty_tables  # they are among every table
from hubchat.storage.columns import at as _at
from hubchat.storage.columns import big as _big
from hubchat.storage.columns import id_ as _id
from hubchat.storage.columns import ref as _ref
from hubchat.storage.columns import words as _text

# ---------------------------------------------------------------- the hub


class Hub(SQLModel, table=True):
    """Facts about this hub, by key: `log` (the incarnation of its history), `demo`."""

    key: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = _text()


class Node(SQLModel, table=True):
    """A server process of this hub. `beat_at` is by the database's clock; `bus_ok`: it relies on the bus."""

    id: int = _id()
    beat_at: int = _at()
    bus_ok: bool


# ---------------------------------------------------------------- people

HANDLE_LIKENESS: Final = "replace(replace(replace(handle, '-', ''), '0', 'o'), '1', 'l')"
"""How a handle looks at a glance; `actions/names.py` folds what is asked for in the same way."""


class Account(SQLModel, table=True):
    """Who signs in. `presence`: shared, conversations or nobody. `writing`: everyone, shared or nobody.

    `trusted`: no newcomer's limits. `kind`: what they say they are here as; told to themselves alone.
    `state`: active, withdrawn (took a consent back: may export and delete itself, and agree again), disabled, erased.
    """

    id: int = _id()
    role: str = _text()
    state: str = _text()
    email: str | None = _text(nullable=True)
    email_confirmed_at: int | None = _at(nullable=True)
    lang: str | None = _text(nullable=True)
    presence: str = _text()
    writing: str = Field(default="shared", sa_column=Column(Text, nullable=False, server_default="shared"))
    findable: bool
    industry: bool
    trusted: bool
    bot: bool
    kind: str | None = _text(nullable=True)
    created_at: int = _at()


class Persona(SQLModel, table=True):
    """Who is seen. A handle is never given out again: rows stay, `gone_at` says since when nobody is behind it."""

    __table_args__: ClassVar[Any] = (Index("persona_likeness", text(HANDLE_LIKENESS)),)
    id: int = _id()
    account_id: int = _ref("account.id", index=True)
    handle: str = _text(unique=True)
    name: str = _text()
    about: str | None = _text(nullable=True)
    inbox_id: int = _at()
    created_at: int = _at()
    gone_at: int | None = _at(nullable=True)


class Credential(SQLModel, table=True):
    """A way to sign in: password, passkey, totp, oidc or recovery. `secret` is a hash, or sealed."""

    __table_args__: ClassVar[Any] = (Index("credential_account", "account_id", "kind"),)
    id: int = _id()
    account_id: int = _ref("account.id")
    kind: str = _text()
    subject: str | None = _text(nullable=True)
    secret: str = _text()
    created_at: int = _at()
    used_at: int | None = _at(nullable=True)


class Session(SQLModel, table=True):
    """A browser that is signed in, by the SHA-256 of its cookie. `confirmed_at`: when a password was last given."""

    id: int = _id()
    account_id: int = _ref("account.id", index=True)
    hash: str = _text(unique=True)
    agent: str | None = _text(nullable=True)
    created_at: int = _at()
    used_at: int = _at()
    confirmed_at: int = _at()


class Device(SQLModel, table=True):
    """A browser that signed in to this account before: it keeps an allowance of tries of its own."""

    __table_args__: ClassVar[Any] = (UniqueConstraint("account_id", "hash"),)
    id: int = _id()
    account_id: int = _ref("account.id")
    hash: str = _text()
    used_at: int = _at()


class Token(SQLModel, table=True):
    """A key for programs, by its SHA-256. `scopes` are words parted by spaces."""

    id: int = _id()
    account_id: int = _ref("account.id", index=True)
    hash: str = _text(unique=True)
    name: str = _text()
    scopes: str = _text()
    created_at: int = _at()
    used_at: int | None = _at(nullable=True)
    expires_at: int = _at()


class Link(SQLModel, table=True):
    """A one-time link, by its SHA-256: `first_admin` (no account) or `sign_in`."""

    hash: str = Field(sa_column=Column(Text, primary_key=True))
    purpose: str = _text()
    account_id: int | None = _ref("account.id", nullable=True)
    expires_at: int = _at()


class Consent(SQLModel, table=True):
    """What an account agreed to, in which version, and when it took that back."""

    id: int = _id()
    account_id: int = _ref("account.id", index=True)
    what: str = _text()
    version: str = _text()
    at: int = _at()
    withdrawn_at: int | None = _at(nullable=True)


class Attestation(SQLModel, table=True):
    """A badge: the hub's word, given by a moderator, never the member's."""

    id: int = _id()
    account_id: int = _ref("account.id", index=True)
    kind: str = _text()
    by: int = _at()
    how: str = _text()
    at: int = _at()
    until: int | None = _at(nullable=True)


class Block(SQLModel, table=True):
    """`account_id` wants to hear nothing from `blocked_id`. `was`: how they stood to their conversation before."""

    account_id: int = _ref("account.id", primary_key=True)
    blocked_id: int = _ref("account.id", primary_key=True)
    at: int = _at()
    was: str | None = _text(nullable=True)


class Audit(SQLModel, table=True):
    """Who did what to whom, by ids and without text."""

    __table_args__: ClassVar[Any] = (Index("audit_at", "at"),)
    id: int = _id()
    at: int = _at()
    actor: int | None = _at(nullable=True)
    action: str = _text()
    subject: int | None = _at(nullable=True)


# ---------------------------------------------------------------- channels


class Channel(SQLModel, table=True):
    """An ordered log that people subscribe to. `access_id` names the channel whose memberships count.

    `head` and `head_at` are its newest entry's; `tail` the oldest seq kept; `open_from` the oldest seq for
    who is no member. `slug` is null where the channel has no address of its own. `keep_days`: how long what is said
    there is kept, null as long as the hub keeps it; `indexed`: search engines may list its page, while it is public.
    `slow_s`: how long a member waits between two messages. `asking`: how many more messages a request may hold until
    somebody accepts it; null where nobody is asked.
    """

    __table_args__: ClassVar[Any] = (
        Index("channel_listed", "kind", "listed", "state"),
        Index("channel_access", "access_id"),
    )
    id: int = _id()
    kind: str = _text()
    access_id: int = _at()
    parent_id: int | None = Field(default=None, sa_column=_big(nullable=True, index=True))
    slug: str | None = _text(nullable=True, unique=True)
    title: str = _text()
    about: str | None = _text(nullable=True)
    lang: str | None = _text(nullable=True)
    listed: str = _text()
    readers: str = _text()
    joining: str = _text()
    writers: str = _text()
    history: str = _text()
    open_from: int = _at()
    head: int = _at()
    head_at: int = _at()
    tail: int = _at()
    state: str = _text()
    created_at: int = _at()
    keep_days: int | None = None
    indexed: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    slow_s: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    asking: int | None = Field(default=None, sa_column=Column(Integer, nullable=True))


class Alias(SQLModel, table=True):
    """A former slug of a channel; it redirects."""

    slug: str = Field(sa_column=Column(Text, primary_key=True))
    channel_id: int = _ref("channel.id")


class Membership(SQLModel, table=True):
    """How an account stands to an access channel. `persona_id` is who they are there.

    `first_seq` is the oldest entry this member may read. `word` goes with a request; `by` is who invited. `badge`:
    patient or carer, where the member says so to this group alone.
    """

    __table_args__: ClassVar[Any] = (Index("membership_account", "account_id", "state"),)
    access_id: int = _ref("channel.id", primary_key=True)
    account_id: int = _ref("account.id", primary_key=True)
    persona_id: int = _ref("persona.id")
    role: str = _text()
    state: str = _text()
    joined_at: int = _at()
    first_seq: int = _at()
    listed: bool
    word: str | None = _text(nullable=True)
    by: int | None = _at(nullable=True)
    badge: str | None = _text(nullable=True)


class Reading(SQLModel, table=True):
    """Where an account stands in a channel; a row exists only after it read or followed."""

    channel_id: int = _ref("channel.id", primary_key=True)
    account_id: int = _ref("account.id", primary_key=True, index=True)
    read_seq: int = _at()
    notify: str = _text()
    follow: bool


class Invite(SQLModel, table=True):
    """An invitation by link, by the SHA-256 of its code. It dies with its maker's rights."""

    id: int = _id()
    access_id: int = _ref("channel.id", index=True)
    hash: str = _text(unique=True)
    by: int = _ref("account.id")
    uses_left: int
    created_at: int = _at()
    expires_at: int = _at()


# ---------------------------------------------------------------- the log


class EntryRow(SQLModel, table=True):
    """One entry. A message's text lives here and is replaced by an edit, emptied by a deletion.

    `target_seq` is what a change is about, or what a message replies to; `data` is JSON; `rev` the seq of the
    last entry that changed this one. On PostgreSQL the table is partitioned by hash of `channel_id`.
    """

    __tablename__ = "entry"
    __table_args__: ClassVar[Any] = (
        Index("entry_nonce", "channel_id", "author_id", "nonce", unique=True),
        Index(
            "entry_pinned", "channel_id", "seq",
            sqlite_where=text("pinned_at IS NOT NULL"), postgresql_where=text("pinned_at IS NOT NULL"),
        ),
    )  # fmt: skip
    channel_id: int = _id()
    seq: int = _id()
    kind: str = _text()
    author_id: int | None = _at(nullable=True)
    at: int = _at()
    target_seq: int | None = _at(nullable=True)
    nonce: str | None = _text(nullable=True)
    lang: str | None = _text(nullable=True)
    text: str | None = _text(nullable=True)
    data: str | None = _text(nullable=True)
    rev: int | None = _at(nullable=True)
    edited_at: int | None = _at(nullable=True)
    deleted_at: int | None = _at(nullable=True)
    pinned_at: int | None = _at(nullable=True)


class Revision(SQLModel, table=True):
    """A text that an edit replaced; `at` is when it was written."""

    channel_id: int = _id()
    seq: int = _id()
    no: int = _id()
    at: int = _at()
    text: str = _text()


class Reaction(SQLModel, table=True):
    """One persona's emoji on one message."""

    channel_id: int = _id()
    seq: int = _id()
    emoji: str = Field(sa_column=Column(Text, primary_key=True))
    persona_id: int = _id()
    at: int = _at()


class Mention(SQLModel, table=True):
    """Whom a message names, for counting what one has not read."""

    __table_args__: ClassVar[Any] = (Index("mention_account", "account_id", "channel_id", "seq"),)
    channel_id: int = _id()
    seq: int = _id()
    account_id: int = _id()


# ---------------------------------------------------------------- requests


class Idempotency(SQLModel, table=True):
    """The answer to a POST that carried an Idempotency-Key, kept for 24 hours."""

    __table_args__: ClassVar[Any] = (Index("idempotency_at", "at"),)
    account_id: int = _id()
    key: str = Field(sa_column=Column(Text, primary_key=True))
    path: str = Field(sa_column=Column(Text, primary_key=True))
    body_hash: str = _text()
    status: int
    answer: str = _text()
    at: int = _at()


# ---------------------------------------------------------------- safety


class Newcomer(SQLModel, table=True):
    """What an account that came by itself did on its first day, as far as that is limited; then the row goes."""

    account_id: int = _ref("account.id", primary_key=True)
    messages: int
    conversations: int
    at: int = _at()


class Pace(SQLModel, table=True):
    """When a member last wrote where messages are slowed; the row goes after the longest pause there is."""

    channel_id: int = _ref("channel.id", primary_key=True)
    account_id: int = _ref("account.id", primary_key=True)
    at: int = _at()


class Report(SQLModel, table=True):
    """What somebody found wrong, for moderators: a message (`seq`), a person (`subject_id`) or a channel.

    `queue`: `group` or `hub`, whose it is at first. `word` is why it was decided so.
    """

    __table_args__: ClassVar[Any] = (
        Index("report_reporter", "reporter_id", "at"),
        Index("report_queue", "queue", "access_id", "at"),
        Index("report_decided", "decided_at"),
    )
    id: int = _id()
    reporter_id: int = _ref("account.id")
    subject_id: int | None = _ref("account.id", nullable=True)
    persona_id: int | None = _at(nullable=True)
    channel_id: int | None = _at(nullable=True)
    access_id: int | None = _at(nullable=True)
    seq: int | None = _at(nullable=True)
    queue: str = _text()
    reason: str = _text()
    text: str | None = _text(nullable=True)
    at: int = _at()
    decision: str | None = _text(nullable=True)
    word: str | None = _text(nullable=True)
    decided_by: int | None = _at(nullable=True)
    decided_at: int | None = _at(nullable=True)


class ReportLine(SQLModel, table=True):
    """A message as it was when it, or one beside it, was reported."""

    __tablename__ = "report_line"
    report_id: int = _ref("report.id", primary_key=True)
    seq: int = _id()
    author_id: int | None = _at(nullable=True)
    at: int = _at()
    text: str | None = _text(nullable=True)
