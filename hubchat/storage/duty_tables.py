"""Tables of what the hub owes its members: work that is to be done, what they agree to, and what was erased."""

from typing import Any, ClassVar

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from hubchat.storage.columns import at, id_, words


class Job(SQLModel, table=True):
    """Work to be done, written in the same transaction as its cause. Times are by the database's clock.

    `key` keeps the same work from waiting twice; `lease` is whoever does it now, until `leased_until`; `error` is the
    class of what went wrong last, without a word; a job that is parked waits for an operator.
    """

    __table_args__: ClassVar[Any] = (Index("job_due", "due_at"),)
    id: int = id_()
    kind: str = words()
    subject: int | None = at(nullable=True)
    key: str | None = words(nullable=True, unique=True)
    due_at: int = at()
    lease: int | None = at(nullable=True)
    leased_until: int | None = at(nullable=True)
    tries: int
    error: str | None = words(nullable=True)
    parked_at: int | None = at(nullable=True)
    created_at: int = at()


class Policy(SQLModel, table=True):
    """Rules or privacy notice, in one language of one version. The version with the newest `at` holds.

    Former versions stay: they are what members agreed to.
    """

    name: str = Field(sa_column=Column(Text, primary_key=True))
    version: str = Field(sa_column=Column(Text, primary_key=True))
    lang: str = Field(sa_column=Column(Text, primary_key=True))
    text: str = words()
    at: int = at()


class Erasure(SQLModel, table=True):
    """An account that was erased, or is being: how, and how many things of it went, as JSON without words.

    `handles` are hashes, parted by spaces.
    """

    account_id: int = id_()
    messages: str = words()
    handles: str = words()
    gone: str = words()
    asked_at: int = at()
    done_at: int | None = at(nullable=True)


class FormerHandle(SQLModel, table=True):
    """A handle of somebody who was erased, by its SHA-256, so that nobody takes it who could pass for them."""

    __tablename__ = "former_handle"
    hash: str = Field(sa_column=Column(Text, primary_key=True))
