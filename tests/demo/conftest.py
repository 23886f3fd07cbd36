"""What tests of the demo share."""

from tests.program import as_before

__all__ = ["as_before"]
