"""Exceptions that nobody foresaw: logged with an id and where they happened, never with their values (law 8).

An exception's own words may quote a member's, a driver's message a whole row.
"""

import logging
import secrets
import traceback
from typing import Final

FRAMES: Final = 12  # of the traceback: the innermost tell what happened


def log_fault(log: logging.Logger, error: BaseException, what: str = "fault") -> str:
    """Logs the exception and gives the id it is found by, which is all that anybody else is told."""
    fault_id = secrets.token_hex(8)
    where = "".join(traceback.format_tb(error.__traceback__)[-FRAMES:])
    log.error("%s %s: %s\n%s", what, fault_id, type(error).__qualname__, where)
    return fault_id
