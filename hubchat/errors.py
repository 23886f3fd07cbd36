"""The closed tables of errors, reasons and close codes (docs/protocol.md, "Errors").

A member's fault is always a `HubError` made from one line of `REASONS`; nothing else is ever shown.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

STATUS: Final[Mapping[str, int]] = {
    "bad_request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
    "internal": 500,
}
"""Error code → HTTP status; `fields` turn 400 into 422."""

OWN_STATUS: Final[Mapping[str, int]] = {
    "host_foreign": 421,
    "head_too_large": 431,
    "head_too_slow": 408,
    "method_unknown": 405,
    "changed_meanwhile": 412,
}
"""Reasons whose HTTP status says more than their code's."""

RETRY_AFTER_MS: Final = 1_000  # where a reason that may be tried again names no time of its own


class Reason(NamedTuple):
    code: str
    message: str


REASONS: Final[Mapping[str, Reason]] = {
    # Not a command or request of ours
    "not_a_command": Reason("bad_request", "a frame is one map with `do` and `id`"),
    "verb_unknown": Reason("bad_request", "no such verb"),
    "field_missing": Reason("bad_request", "a field is missing"),
    "field_unknown": Reason("bad_request", "a field is not known"),
    "field_invalid": Reason("bad_request", "a field has a wrong type or value"),
    "fields_invalid": Reason("bad_request", "some fields are missing or wrong"),
    "id_in_use": Reason("bad_request", "an open command has this id"),
    "body_invalid": Reason("bad_request", "the body is not JSON of the shape that is asked for"),
    "subprotocol_unknown": Reason("bad_request", "offer hubchat.v1.msgpack or hubchat.v1.json"),
    "origin_foreign": Reason("forbidden", "the Origin is not this hub's"),
    "host_foreign": Reason("bad_request", "the Host is not this hub's"),
    "request_invalid": Reason("bad_request", "not a valid HTTP request"),
    "handshake_invalid": Reason("bad_request", "not a valid WebSocket handshake (RFC 6455, version 13)"),
    "head_too_large": Reason("too_large", "a request head is at most 32 KB"),
    "head_too_slow": Reason("bad_request", "a request head has 10 s to come"),
    "path_unknown": Reason("not_found", "no such path"),
    "method_unknown": Reason("bad_request", "this path does not take this method"),
    "key_reused": Reason("conflict", "this Idempotency-Key came with another body"),
    # Text and other words
    "text_empty": Reason("bad_request", "`text` has nothing to read in it"),
    "text_invalid": Reason("bad_request", "`text` holds NUL or a lone surrogate"),
    "text_too_large": Reason("too_large", "`text` is over 16,384 bytes"),
    "body_too_large": Reason("too_large", "the body is too large"),
    "emoji_invalid": Reason("bad_request", "`emoji` is not one emoji"),
    "reactions_full": Reason("conflict", "a message has at most 20 different emoji"),
    "reply_unknown": Reason("bad_request", "`reply_to` is no message of this channel"),
    "media_unknown": Reason("bad_request", "`media` names what is not yours or not there"),
    "handle_invalid": Reason("bad_request", "`handle` is 2–31 of a-z, 0-9 and -"),
    "handle_taken": Reason("conflict", "this handle is taken"),
    "handle_reserved": Reason("conflict", "this handle is reserved"),
    "name_invalid": Reason("bad_request", "`name` is 1–60 characters without control characters"),
    "slug_invalid": Reason("bad_request", "`slug` is 2–31 of a-z, 0-9 and -"),
    "slug_taken": Reason("conflict", "this address is taken"),
    "slug_reserved": Reason("conflict", "this address is reserved"),
    "email_invalid": Reason("bad_request", "`email` is not an address"),
    "password_weak": Reason("bad_request", "this password is easily guessed"),
    "password_too_large": Reason("too_large", "a password is at most 1,024 bytes"),
    "not_agreed": Reason("bad_request", "`agreed` must be true"),
    "too_young": Reason("forbidden", "this hub is for people who are older"),
    # Who is asking
    "sign_in_needed": Reason("unauthorized", "sign in first"),
    "sign_in_ended": Reason("unauthorized", "this session or token is invalid or has ended"),
    "sign_in_wrong": Reason("unauthorized", "the handle and the password do not belong together"),
    "members_only": Reason("unauthorized", "this hub is for members only"),
    "confirm_needed": Reason("forbidden", "give the password again first"),
    "consent_needed": Reason(
        "forbidden", "you took back what you had agreed to: agree again, export, or delete your account"
    ),
    "scope_missing": Reason("forbidden", "the token has not the scope for this"),
    "signup_closed": Reason("forbidden", "this hub takes no new members by itself"),
    "signup_invited": Reason("forbidden", "this hub takes new members by invitation"),
    "link_ended": Reason("not_found", "this link is not valid any more"),
    "demo_only": Reason("not_found", "this is not a demo hub"),
    # Rights
    "not_allowed": Reason("forbidden", "you may not do this here"),
    "channel_unknown": Reason("not_found", "no such channel for you"),
    "entry_unknown": Reason("not_found", "no such entry for you"),
    "person_unknown": Reason("not_found", "no such person for you"),
    "thing_unknown": Reason("not_found", "no such thing for you"),
    "invite_ended": Reason("not_found", "this invitation is not valid any more"),
    "archived": Reason("forbidden", "this group is archived"),
    "not_writable": Reason("forbidden", "this channel takes no messages from you"),
    "takes_no_messages": Reason("forbidden", "they write with whom they wrote to first"),
    "newcomer_links": Reason("forbidden", "no links on an account's first day"),
    # State
    "already_member": Reason("conflict", "they are a member already"),
    "not_member": Reason("conflict", "they are no member"),
    "banned": Reason("conflict", "they are banned"),
    "last_owner": Reason("conflict", "the last owner hands the group over, or archives it"),
    "last_admin": Reason("conflict", "the last administrator stays one"),
    "not_requested": Reason("conflict", "there is no request to decide"),
    "request_waits": Reason("conflict", "they have not accepted yet; until then no more"),
    "blocked_by_you": Reason("conflict", "you block them"),
    "already_decided": Reason("conflict", "this report is decided"),
    "set_by_operator": Reason("conflict", "the operator has set this where the hub runs"),
    "deleted": Reason("conflict", "it is deleted"),
    "changed_meanwhile": Reason("conflict", "it changed meanwhile; read it again"),
    "people_count": Reason("bad_request", "a conversation has 2 to 8 people"),
    "too_many": Reason("conflict", "there are too many of these"),
    # Pace and state of the hub
    "too_fast": Reason("rate_limited", "slow down"),
    "slow_mode": Reason("rate_limited", "in this group one waits between two messages"),
    "newcomer_messages": Reason("rate_limited", "so many messages on an account's first day"),
    "newcomer_conversations": Reason("rate_limited", "so many new conversations on an account's first day"),
    "too_many_reports": Reason("rate_limited", "so many reports at once"),
    "too_many_tries": Reason("rate_limited", "too many tries; wait"),
    "too_many_open": Reason("rate_limited", "too many open commands"),
    "too_many_subscriptions": Reason("rate_limited", "too many subscriptions"),
    "too_many_connections": Reason("rate_limited", "too many connections"),
    "database_unavailable": Reason("unavailable", "the database can't be reached; nothing is lost, try again"),
    "outcome_unknown": Reason("unavailable", "it may or may not be stored; try again with the same nonce"),
    "overloaded": Reason("unavailable", "the hub is overloaded; try again"),
    "restarting": Reason("unavailable", "the hub is restarting; try again"),
    "fault": Reason("internal", "our fault"),
}
"""Every reason that a client may see, with its code and a sentence for developers."""


class HubError(Exception):
    """What a member is told when something can't be done.

    `detail` replaces the reason's sentence, `facts` are values a client may show, `fields` say per field
    what is wrong, `retry_after_ms` how long to wait.
    """

    def __init__(
        self,
        reason: str,
        detail: str | None = None,
        *,
        facts: Mapping[str, Any] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        self.reason = reason
        self.code, sentence = REASONS[reason]
        self.message = detail or sentence
        self.facts = facts
        self.fields = fields
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{reason}: {self.message}")

    def body(self) -> dict[str, Any]:
        """The map under `error`, the same over HTTP and in the live protocol."""
        body: dict[str, Any] = {"code": self.code, "reason": self.reason, "message": self.message}
        if self.facts:
            body["facts"] = dict(self.facts)
        if self.fields:
            body["fields"] = dict(self.fields)
        if self.retry_after_ms is not None:
            body["retry_after_ms"] = self.retry_after_ms
        return body

    @property
    def status(self) -> int:
        """The HTTP status that tells it."""
        if self.code == "bad_request" and self.fields:
            return 422
        return OWN_STATUS.get(self.reason, STATUS[self.code])

    def headers(self) -> dict[str, str]:
        """The HTTP headers that go with it: when to come back, how to say who one is (RFC 9110, 10.2.3 and 11.6.1)."""
        if self.code in ("rate_limited", "unavailable"):
            return {"Retry-After": str(-(-(self.retry_after_ms or RETRY_AFTER_MS) // 1_000))}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


class OperatorError(Exception):
    """What keeps the hub from starting or a command from working and an operator can mend: one line, what and how."""


class Close(NamedTuple):
    """A close code, its reason, and between what times (ms) the client may come back; None: it stays away."""

    code: int
    reason: str
    reconnect_in_ms: tuple[int, int] | None


DONE: Final = Close(1000, "done", None)
RESTARTING_MS: Final = (200, 5_000)
RESTARTING: Final = Close(1012, "restarting", RESTARTING_MS)
HISTORY_REPLACED: Final = Close(1012, "history_replaced", (200, 2_000))
SIGN_IN_ENDED: Final = Close(4001, "sign_in_ended", None)
MEMBERS_ONLY: Final = Close(4001, "members_only", None)
ACCOUNT_ENDED: Final = Close(4003, "account_ended", None)
STOOD_STILL: Final = Close(4008, "stood_still", (1_000, 10_000))
TOO_MANY_BAD: Final = Close(4009, "too_many_bad_commands", (60_000, 90_000))
TOO_MANY_CONNECTIONS: Final = Close(4009, "too_many_connections", (60_000, 90_000))
