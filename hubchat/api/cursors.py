"""Cursors: where a page of a list ended, as whole numbers in a word that means nothing to clients."""

import base64
import binascii

from hubchat.errors import HubError

BIGGEST = 2**63  # what a column holds


def make_cursor(*place: int) -> str:
    return base64.urlsafe_b64encode(",".join(map(str, place)).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, numbers: int) -> tuple[int, ...] | None:
    """The place that a cursor of this many numbers names; None at the beginning. Raises an error that names it."""
    if cursor is None:
        return None
    try:
        told = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii")
        place = tuple(int(part) for part in told.split(","))
    except (ValueError, binascii.Error):
        place = ()
    if len(place) != numbers or not all(-BIGGEST <= number < BIGGEST for number in place):
        raise HubError("fields_invalid", fields={"cursor": "none of this list"})
    return place
