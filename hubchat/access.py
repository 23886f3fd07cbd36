"""Who may do what: one pure function over one table (law 7).

`can(action, who, channel)` is asked inside the transaction that writes and at each subscription. It knows
hub role, membership and the channel's presets, and nothing of time, blocks or limits.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from hubchat.errors import HubError

HubRole: TypeAlias = Literal["guest", "member", "moderator", "admin"]
GroupRole: TypeAlias = Literal["member", "moderator", "owner"]
MemberState: TypeAlias = Literal["none", "requested", "invited", "member", "banned"]
Audience: TypeAlias = Literal["everybody", "signed_in", "invited", "members", "moderators", "nobody"]
"""`moderators` means owners as well, `invited` members and those invited, `signed_in` everyone with an account who is
not banned here."""
Joining: TypeAlias = Literal["free", "request", "invitation", "nobody"]
Visibility: TypeAlias = Literal["public", "open", "closed", "secret"]
ChannelState: TypeAlias = Literal["open", "archived", "deleted"]
History: TypeAlias = Literal["all", "since_joining"]
Scope: TypeAlias = Literal["read", "write", "groups", "account", "admin"]
Writers: TypeAlias = Literal["members", "moderators"]
Office: TypeAlias = Literal["moderate", "attest", "administer"]

HUB_ROLES: Final[tuple[HubRole, ...]] = ("guest", "member", "moderator", "admin")
GROUP_ROLES: Final[tuple[GroupRole, ...]] = ("member", "moderator", "owner")
SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "groups", "account", "admin")
USUAL_SCOPES: Final[tuple[Scope, ...]] = ("read", "write", "groups")


class Presets(NamedTuple):
    """Four columns of a channel. The visibilities are names for four sets of them."""

    listed: Audience
    readers: Audience
    joining: Joining
    writers: Audience


VISIBILITIES: Final[Mapping[Visibility, Presets]] = {
    "public": Presets("everybody", "everybody", "free", "members"),
    "open": Presets("signed_in", "signed_in", "free", "members"),
    "closed": Presets("signed_in", "members", "request", "members"),
    "secret": Presets("invited", "members", "invitation", "members"),
}
EASE: Final[Mapping[Visibility, int]] = {"secret": 0, "closed": 1, "open": 2, "public": 3}
"""How easily a group is read: what grows here opens only what comes after."""

CONVERSATION: Final = Presets("invited", "invited", "nobody", "members")
ROSTER: Final = Presets("members", "members", "nobody", "nobody")
INBOX: Final = Presets("members", "members", "nobody", "nobody")
INTERNAL: Final = Presets("nobody", "nobody", "nobody", "nobody")


class Place(NamedTuple):
    """What of a channel decides rights: its presets and its state."""

    presets: Presets
    state: ChannelState = "open"
    kind: str = "group"


class Standing(NamedTuple):
    """How somebody stands to a channel: rank on the hub, and membership in the channel that `access_id` names."""

    hub_role: HubRole = "guest"
    state: MemberState = "none"
    role: GroupRole = "member"


GUEST: Final = Standing()

Action: TypeAlias = Literal[
    "see", "read", "send", "send_freely", "edit", "react", "typing", "pin", "mark_read", "delete_own", "delete_any",
    "revisions", "see_members", "see_all_members", "join", "request", "accept", "withdraw", "leave",
    "invite", "decide", "remove", "ban", "set_role", "change", "change_visibility", "archive", "delete",
]  # fmt: skip


class Rule(NamedTuple):
    """What an action asks for; every condition that is set must hold.

    `column`: the preset that must admit; `role`: the least role of a member; `rank`: a hub moderator may
    as well, but only where signed-in people read anyhow, never by rank alone; `states`: memberships;
    `joining`: the ways of joining it belongs to; `archived`: possible in an archived channel too.
    """

    column: Literal["listed", "readers", "writers"] | None = None
    role: GroupRole | None = None
    rank: bool = False
    states: tuple[MemberState, ...] | None = None
    joining: tuple[Joining, ...] | None = None
    signed_in: bool = True
    archived: bool = False


RULES: Final[Mapping[Action, Rule]] = {
    "see": Rule(column="listed", signed_in=False, archived=True),
    "read": Rule(column="readers", signed_in=False, archived=True),
    "mark_read": Rule(column="readers", archived=True),
    "send": Rule(column="writers"),
    "send_freely": Rule(column="writers", role="moderator"),
    "edit": Rule(column="writers"),
    "react": Rule(column="writers"),
    "typing": Rule(column="writers"),
    "delete_own": Rule(column="readers", archived=True),
    "delete_any": Rule(column="readers", role="moderator", rank=True, archived=True),
    "revisions": Rule(column="readers", role="moderator", rank=True, archived=True),
    "pin": Rule(column="writers", role="moderator"),
    "see_members": Rule(role="member", archived=True),
    "see_all_members": Rule(role="moderator", archived=True),
    "join": Rule(states=("none", "invited", "requested"), joining=("free",)),
    "request": Rule(states=("none",), joining=("request",)),
    "accept": Rule(states=("invited",)),
    "withdraw": Rule(states=("requested", "invited"), archived=True),
    "leave": Rule(states=("member",), joining=("free", "request", "invitation"), archived=True),
    "invite": Rule(role="moderator", joining=("free", "request", "invitation")),
    "decide": Rule(role="moderator", joining=("free", "request", "invitation")),
    "remove": Rule(role="moderator", joining=("free", "request", "invitation"), archived=True),
    "ban": Rule(role="moderator", joining=("free", "request", "invitation"), archived=True),
    "set_role": Rule(role="owner", joining=("free", "request", "invitation"), archived=True),
    "change": Rule(role="moderator", joining=("free", "request", "invitation")),
    "change_visibility": Rule(role="owner", joining=("free", "request", "invitation")),
    "archive": Rule(role="owner", joining=("free", "request", "invitation"), archived=True),
    "delete": Rule(role="owner", joining=("free", "request", "invitation"), archived=True),
}
"""The table. In a conversation every member may pin; in a free group every member may invite (`_least_role`). Where
messages are slowed, who may `send_freely` need not wait."""

OFFICES: Final[Mapping[Office, tuple[HubRole, ...]]] = {
    "moderate": ("moderator", "admin"),
    "attest": ("moderator", "admin"),
    "administer": ("admin",),
}
"""What somebody does for the hub as a whole. None of it reads what only members read."""


def can(action: Action, who: Standing, channel: Place) -> bool:
    """Whether `who` may do `action` in `channel`. Authorship of a message is its caller's to check."""
    rule = RULES[action]
    if channel.state == "deleted" or (channel.state == "archived" and not rule.archived):
        return False
    if who.hub_role == "guest" or who.state == "banned":
        who = GUEST  # who is banned here is a guest here, whatever their rank and former role
    if rule.signed_in and who.hub_role == "guest":
        return False
    presets = channel.presets
    if rule.column is not None and not _admits(getattr(presets, rule.column), who):
        return False
    if rule.states is not None and who.state not in rule.states:
        return False
    if rule.joining is not None and presets.joining not in rule.joining:
        return False
    least = _least_role(action, rule, channel)
    if least is None or (who.state == "member" and rank(who.role) >= rank(least)):
        return True
    return rule.rank and presets.readers in ("everybody", "signed_in") and who.hub_role in ("moderator", "admin")


def require_office(office: Office, hub_role: HubRole) -> None:
    """Raises `not_allowed` for whom the hub has not given this office."""
    if hub_role not in OFFICES[office]:
        raise HubError("not_allowed")


def can_outrank(actor: GroupRole, target: GroupRole) -> bool:
    """Whether a member of role `actor` may remove or ban one of role `target`: owners all, moderators members."""
    return actor == "owner" or rank(actor) > rank(target)


def rank(role: GroupRole) -> int:
    """0 member, 1 moderator, 2 owner."""
    return GROUP_ROLES.index(role)


def allowed(who: Standing, channel: Place) -> list[Action]:
    """Every action `who` may do in `channel`, in the table's order: what a client shows."""
    return [action for action in RULES if can(action, who, channel)]


def require(action: Action, who: Standing, channel: Place) -> None:
    """Raises `channel_unknown` where `who` may not even see or read the channel, else `not_allowed`."""
    if can(action, who, channel):
        return
    if not can("see", who, channel) and not can("read", who, channel):
        raise HubError("channel_unknown")
    if channel.state == "archived" and not RULES[action].archived:
        raise HubError("archived")
    if RULES[action].column == "writers" and channel.presets.writers == "moderators" and who.state == "member":
        raise HubError("not_writable")
    raise HubError("not_allowed")


def first_readable(*, tail: int, open_from: int, first_seq: int | None, head: int, history: History) -> int:
    """The oldest seq somebody may read. `first_seq` is a member's own, given at joining; None: no member.

    A member keeps what was open to them when they joined, whatever the channel became later.
    """
    if first_seq is not None:
        return max(tail, first_seq)
    if history == "since_joining":
        return head + 1
    return max(tail, open_from)


def visibility(presets: Presets) -> Visibility | None:
    """The name of a group's presets, whoever writes there; None for channels that are no groups."""
    plain = presets._replace(writers="members") if presets.writers == "moderators" else presets
    return next((name for name, known in VISIBILITIES.items() if known == plain), None)


def _least_role(action: Action, rule: Rule, channel: Place) -> GroupRole | None:
    if action == "pin" and channel.kind == "conversation":
        return "member"
    if action == "invite" and channel.presets.joining == "free":
        return "member"
    return rule.role


def _admits(audience: Audience, who: Standing) -> bool:
    if audience == "everybody":
        return True
    if audience == "signed_in":
        return who.hub_role != "guest"
    if audience == "invited":
        return who.state in ("member", "invited")
    if who.state != "member":
        return False
    return audience == "members" or (audience == "moderators" and rank(who.role) >= rank("moderator"))
