"""Exceptions that nobody foresaw: logged with an id and where they happened, never with their values (law 8).

An exception's own words may quote a member's, a driver's message a whole row.
"""

import logging
import secrets
import traceback
from types import TracebackType
from typing import Final

from hubchat.errors import HubError

FRAMES: Final = 12  # the innermost ones: where it happened, and who called it


def new_request_id() -> str:
    """An id for a request or a connection, by which its log lines are found."""
    return secrets.token_hex(8)


def log_fault(log: logging.Logger, error: BaseException, what: str = "fault", **ids: str) -> str:
    """Logs the exception, with `ids` that the line is to carry, and gives the id it is found by."""
    fault_id = secrets.token_hex(8)
    log.error("%s %s: %s", what, fault_id, place_of(error), extra=ids)
    return fault_id


def as_fault(log: logging.Logger, error: BaseException, what: str = "fault", **ids: str) -> HubError:
    """Logs the exception and gives what others are told of it: that it is ours, and its id."""
    return HubError("fault", f"our fault, logged as {log_fault(log, error, what, **ids)}")


def place_of(error: BaseException) -> str:
    """An exception's type, and where it happened: all that may be told of it."""
    return place(type(error), error.__traceback__)


def place(kind: type[BaseException], where: TracebackType | None) -> str:
    """The same of an exception as `exc_info` gives it."""
    frames = traceback.extract_tb(where)[-FRAMES:]
    lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([f"{kind.__module__}.{kind.__qualname__}", *lines])
