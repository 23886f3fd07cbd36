"""What people may be called: handles, names, addresses. Pure."""

import re
import unicodedata
from typing import Final

from hubchat.errors import HubError
from hubchat.wire import check_text

HANDLE: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}")
NAME_CHARS: Final = 60
ABOUT_CHARS: Final = 500
EMAIL_CHARS: Final = 254  # RFC 5321, 4.5.3.1.3
EMAIL: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]+\.[^\s@<>()\[\]\\,;:\"]+")
JOINERS: Final = "\u200c\u200d"  # Persian and Hindi names and many emoji need them; other format characters hide

GONE: Final = "gone-"  # how the handle of who was erased begins

RESERVED: Final = frozenset(
    """about abuse account admin administrator administrators all anonymous api app bot bots channel channels
    community contact deleted demo everybody everyone group groups guest guests help here home hostmaster hub
    hubchat inbox info join legal live mail me member members mod moderation moderator moderators new news nobody
    noreply null official online operator owner people postmaster privacy root safety search security settings
    sign-in sign-out sign-up signin signout signup staff support system team terms undefined user users webmaster
    welcome you""".split()  # noqa: SIM905  # a list of words is read as words
)
"""Nobody takes a handle that speaks for the hub, or means more than one person when mentioned."""


def require_handle(handle: str) -> None:
    """Raises `handle_invalid`, or `handle_reserved` for one that speaks for the hub or looks as if it did."""
    if not HANDLE.fullmatch(handle):
        raise HubError("handle_invalid", fields={"handle": "2 to 31 of a-z, 0-9 and -, not beginning with -"})
    # 1 is read as l or as i: adm1n, he1p
    if handle.startswith(GONE) or not {likeness(handle), likeness(handle.replace("1", "i"))}.isdisjoint(
        _RESERVED_LIKENESSES
    ):
        raise HubError("handle_reserved", fields={"handle": "reserved"})


def likeness(handle: str) -> str:
    """How a handle looks at a glance: without `-`, 0 as o, 1 as l.

    Two members never look alike, because trust goes by the handle: `dr-ebert` and `drebert` would be one person to
    a tired reader. Letters are not folded: `ian` and `lan` are both names. `storage/accounts.py` folds alike.
    """
    return handle.replace("-", "").replace("0", "o").replace("1", "l")


_RESERVED_LIKENESSES: Final = frozenset(map(likeness, RESERVED))


def read_name(given: str) -> str:
    """A name as it is kept: NFC, one space between words. Raises `name_invalid`."""
    name = unicodedata.normalize("NFC", given[: NAME_CHARS * 20]).strip()
    try:
        check_text("name", name)  # something that is seen, no NUL, no lone surrogate
    except HubError:
        raise _name_invalid() from None
    if any(map(_is_hidden, name)) or len(name := " ".join(name.split())) > NAME_CHARS:
        raise _name_invalid()
    return name


def read_email(given: str | None) -> str | None:
    """An address as it is kept; None for none. Raises `email_invalid`. Whether it is known is never told."""
    if given is None or not (email := given.strip()):
        return None
    if len(email) > EMAIL_CHARS or not EMAIL.fullmatch(email) or any(map(_is_hidden, email)):
        raise HubError("email_invalid", fields={"email": "not an address"})
    return email


def read_about(given: str) -> str | None:
    """What somebody says of themselves, as it is kept; None for nothing. Raises an error that names the field."""
    about = unicodedata.normalize("NFC", given).strip()
    if len(about) > ABOUT_CHARS or any(_is_hidden(char) and char != "\n" for char in about):
        raise HubError("fields_invalid", fields={"about": f"at most {ABOUT_CHARS} characters, none of them hidden"})
    return about or None


def _is_hidden(char: str) -> bool:
    """Control, format (direction marks among them), surrogate and private characters, line ends."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and char not in JOINERS


def _name_invalid() -> HubError:
    why = f"1 to {NAME_CHARS} characters, none of them hidden"
    return HubError("name_invalid", fields={"name": why})
