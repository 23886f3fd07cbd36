"""What went wrong, in one line, for the operator who began it: what can be mended, else only where it happened."""

from typing import Final

from hubchat.errors import HubError, OperatorError
from hubchat.faults import place_of
from hubchat.storage.looks import explain

DATABASE: Final = "database_unavailable"


def line_of(error: BaseException) -> str:
    """Its words may be members': of what nobody foresaw, only its place is told (law 8)."""
    if isinstance(error, OperatorError):
        return str(error)
    if isinstance(error, HubError):
        if error.reason == DATABASE:
            return "; ".join(explain(error))
        told = {name: why for name, why in (error.fields or {}).items() if why not in error.message}
        fields = "; ".join(f"{name}: {why}" for name, why in told.items())
        return f"{error.message} ({fields or error.reason})"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {(error.strerror or type(error).__name__).lower()}"
    return f"our fault: {place_of(error)}"
