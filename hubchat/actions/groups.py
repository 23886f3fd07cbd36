"""Groups: made, changed, opened wider or closed, archived, deleted."""

import asyncio
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final, Literal

from hubchat.access import EASE, VISIBILITIES, History, Presets, Visibility, Writers, visibility
from hubchat.actions.here import Here, enter
from hubchat.channels.transaction import Transaction
from hubchat.errors import HubError
from hubchat.journal import Deleted, Journal
from hubchat.node import Node
from hubchat.storage import audit, groups
from hubchat.storage.channels import ChannelRow, update_channel
from hubchat.storage.members import delete_requests, set_membership
from hubchat.storage.sessions import Caller

OWNED: Final = 50  # groups one account may own: enough for any organisation, too few to flood the directory
SLOW_S: Final = (10, 3_600)  # between two messages of a member: less is no pause, more is no conversation
TITLE_CHARS: Final = 100
ABOUT_CHARS: Final = 2_000
KEEP_DAYS: Final = 36_500  # a hundred years
KEEPING: Final = ("keep_days", "indexed")
SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}")
LANG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
DIRECTION: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
RESERVED: Final = frozenset(
    """about admin all api archive archived blog blogs calendar calendars closed conversation conversations demo
    directory events everybody forum group groups help home hub hubchat inbox invite invites join live login mail me
    members messages mine moderation moderator moderators my new none notifications official open organisations
    owner owners people posts privacy public research root roster search secret security settings signin signup
    staff start static support system team terms www""".split()  # noqa: SIM905  # a list of words is read as words
)
"""Slugs that are, or may become, addresses of the hub's own, or that would lend a group its authority."""


@dataclass(frozen=True)
class NewGroup:
    """A group to be made. A secret one has no slug; what is given for it is not kept."""

    title: str
    visibility: Visibility
    slug: str | None = None
    about: str | None = None
    lang: str | None = None
    history: History = "all"


@dataclass(frozen=True)
class GroupChange:
    """What is to change; None stays as it is, an empty `about` or `lang` is taken away.

    `keep_days`: what is older is forgotten, for good; 0 takes it away, and it is kept as long as the hub keeps it.
    `indexed`: search engines may list its page, while it is public.
    """

    title: str | None = None
    about: str | None = None
    lang: str | None = None
    slug: str | None = None
    visibility: Visibility | None = None
    history: History | None = None
    state: Literal["open", "archived"] | None = None
    keep_days: int | None = None
    indexed: bool | None = None
    slow_s: int | None = None
    writers: Writers | None = None


async def create(node: Node, caller: Caller, new: NewGroup) -> int:
    """Makes a group that `caller` owns and gives its id. Raises `slug_taken`, `too_many`, or names a wrong field."""
    slug = None if new.visibility == "secret" else check_slug(new.slug)
    about, lang = _check_about(new.about or ""), _check_lang(new.lang or "")
    title = check_title(new.title)

    def create(tx: Transaction) -> int:
        if groups.count_owned(tx.connection, caller.account_id) >= OWNED:
            raise HubError("too_many", f"one member owns at most {OWNED} groups")
        room, roster = groups.insert_group(
            tx.connection, presets=VISIBILITIES[new.visibility], slug=slug, title=title, about=about, lang=lang,
            history=new.history,
        )  # fmt: skip
        tx.created(room)
        tx.created(roster)
        set_membership(
            tx.connection, room.id, caller.account_id, caller.persona_id, state="member", role="owner", at=tx.now,
            listed=True,
        )  # fmt: skip
        tx.append(roster.id, "member", author=caller.persona_id, data={"person": caller.persona_id, "change": "joined"})
        audit.record(tx.connection, tx.now, caller.account_id, "group.create", room.id)
        return room.id

    return await node.log.write(create)


async def change(node: Node, caller: Caller, group_id: int, change: GroupChange, seen: str | None = None) -> None:
    """Changes a group. Raises `changed_meanwhile` where its `version` is not the one `seen` any more."""
    await node.log.write(lambda tx: _change(enter(tx, caller, group_id), change, seen))


def _change(here: Here, change: GroupChange, seen: str | None) -> None:
    here.require("see")
    if seen is not None and seen != version(here.room):
        raise HubError("changed_meanwhile", facts={"version": version(here.room)})
    room = here.room
    opening = change.state == "open" and room.state == "archived"
    if opening:
        here.require("archive")
        room = _store(here, {"state": "open"})
    values = {**_words(here, change), **_access(here, change), **_keeping(here, change), **_pace(here, change)}
    if change.state == "archived" and room.state == "open":
        here.require("archive")
        values["state"] = "archived"
    _store(here, values)
    told = {"title": "title", "slug": "title", "state": "state", **dict.fromkeys(("about", "lang", *KEEPING), "about")}
    told |= {"slow_s": "writing", "writers": "writing"}
    changes = {told.get(name, "visibility") for name in values} | ({"state"} if opening else set())
    for name in sorted(changes):
        here.tx.append(here.group_id, "channel", author=here.stand.persona_id, data={"change": name})
        here.record(f"group.{name}")


def _words(here: Here, change: GroupChange) -> dict[str, Any]:
    """The new values of what the group is called and says of itself."""
    room = here.room
    given: dict[str, Any] = {}
    if change.title is not None:
        given["title"] = check_title(change.title)
    if change.about is not None:
        given["about"] = _check_about(change.about)
    if change.lang is not None:
        given["lang"] = _check_lang(change.lang)
    if change.slug is not None and (change.visibility or visibility(room.place.presets)) != "secret":
        given["slug"] = check_slug(change.slug)
    if given:
        here.require("change")
    return {name: value for name, value in given.items() if value != getattr(room, name)}


def _access(here: Here, change: GroupChange) -> dict[str, Any]:
    """The new values of who may see, read and join.

    Easier to read counts for what comes after alone: `open_from` moves behind the head. Members keep what they
    have (their `first_seq` stays). Harder to read: everybody's right to read is asked again.
    """
    room = here.room
    before = visibility(room.place.presets)
    assert before is not None, "a group's presets have a name"
    now = change.visibility or before
    history = change.history or room.history
    if (now, history) == (before, room.history):
        return {}
    here.require("change_visibility")
    presets = VISIBILITIES[now]
    values: dict[str, Any] = {"listed": presets.listed, "readers": presets.readers, "joining": presets.joining}
    values["history"] = history
    if EASE[now] > EASE[before] or (history, room.history) == ("all", "since_joining"):
        values["open_from"] = room.head + 1
    if EASE[now] < EASE[before] or (history, room.history) == ("since_joining", "all"):
        here.tx.revoke("visibility", channel=room.id)
    if now == "secret":
        values["slug"] = None
        delete_requests(here.tx.connection, room.id)  # nobody asks to come into what they may not see
    _open_roster(here, VISIBILITIES[now], room)
    return values


def _keeping(here: Here, change: GroupChange) -> dict[str, Any]:
    """The new values of how long it keeps what is said, and whether search engines list it: its owners' to say."""
    room = here.room
    given: dict[str, Any] = {}
    if change.keep_days is not None:
        if not 0 <= change.keep_days <= KEEP_DAYS:
            raise HubError("fields_invalid", fields={"keep_days": f"0 to {KEEP_DAYS}"})
        given["keep_days"] = change.keep_days or None
    if change.indexed is not None:
        if change.indexed and (change.visibility or visibility(room.place.presets)) != "public":
            raise HubError("fields_invalid", fields={"indexed": "only a public group is listed"})
        given["indexed"] = change.indexed
    if given:
        here.require("change_visibility")
    return {name: value for name, value in given.items() if value != getattr(room, name)}


def _pace(here: Here, change: GroupChange) -> dict[str, Any]:
    """The new values of how fast members write, and whether they do."""
    slow_s, (least, most) = change.slow_s, SLOW_S
    if slow_s and not least <= slow_s <= most:
        raise HubError("fields_invalid", fields={"slow_s": f"0, or {least} to {most}"})
    given = {"slow_s": slow_s, "writers": change.writers}
    values = {name: value for name, value in given.items() if value not in (None, getattr(here.room, name))}
    if values:
        here.require("change")
    return values


def _open_roster(here: Here, presets: Presets, room: ChannelRow) -> None:
    """Where anybody may now become a member, nobody reads on who came and went while few could."""
    if presets.joining == "free" and room.joining != "free":
        roster = here.tx.channels[here.roster_id]
        update_channel(here.tx.connection, roster.id, tail=roster.head + 1)


def _store(here: Here, values: dict[str, Any]) -> ChannelRow:
    """Writes new values of the room; from here on the transaction works with them."""
    if values:
        groups.change_group(here.tx.connection, here.group_id, values)
        here.tx.channels[here.group_id] = here.room._replace(**values)
        if "state" in values:
            here.tx.revoke(values["state"], channel=here.group_id)
    return here.room


async def delete(node: Node, caller: Caller, group_id: int) -> None:
    """Takes a group away for good: at once from everybody, then its entries, some at a time."""
    gone = await node.log.write(lambda tx: _delete(enter(tx, caller, group_id)))
    await asyncio.to_thread(Journal(node.settings.journal).append, [gone])
    while await node.log.write(lambda tx: groups.purge(tx.connection)):
        pass


def _delete(here: Here) -> Deleted:
    """Gives what the journal is to keep of it: no older backup brings it back."""
    here.require("delete")
    groups.delete_group(here.tx.connection, here.group_id)
    here.record("group.delete")
    here.tx.revoke("deleted", channel=here.group_id)
    return Deleted(here.group_id, here.tx.now)


def version(room: ChannelRow) -> str:
    """What an ETag is made of: everything of a group that people change."""
    words = (room.slug, room.title, room.about, room.lang, *room.place.presets, room.history, room.state, room.slow_s)
    return hashlib.sha256(repr((*words, room.keep_days, bool(room.indexed))).encode()).hexdigest()[:24]


def check_slug(slug: str | None) -> str:
    """Raises `slug_invalid` or `slug_reserved`."""
    if slug is None or not SLUG.fullmatch(slug):
        raise HubError("slug_invalid", fields={"slug": "2 to 31 of a-z, 0-9 and -, not first a -"})
    if slug in RESERVED:
        raise HubError("slug_reserved")
    return slug


def check_title(title: str) -> str:
    """A title in NFC, one space between words: 1–100 characters of any script, no control or direction ones."""
    title = " ".join(unicodedata.normalize("NFC", title).split())
    seen = any(unicodedata.category(char)[0] not in "CZ" for char in title)
    hidden = any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in title) or DIRECTION.search(title)
    if not seen or hidden or len(title) > TITLE_CHARS:
        why = f"1 to {TITLE_CHARS} characters, without control or direction characters"
        raise HubError("fields_invalid", fields={"title": why})
    return title


def _check_about(about: str) -> str | None:
    if len(about) > ABOUT_CHARS or "\0" in about:
        raise HubError("fields_invalid", fields={"about": f"at most {ABOUT_CHARS} characters, without NUL"})
    return about.strip() or None


def _check_lang(lang: str) -> str | None:
    if lang and not LANG.fullmatch(lang):
        raise HubError("fields_invalid", fields={"lang": "a language tag such as de or pt-BR"})
    return lang or None
