"""What has served its time, and is forgotten once an hour."""

from typing import Final

import sqlalchemy as sa

from hubchat.storage import newcomers, reports
from hubchat.storage.channels import forget_access

ACCESS_MS: Final = 86_400_000  # of the access channel; a node that slept longer asks everybody to come again
DECIDED_MS: Final = 90 * 86_400_000  # for whoever asks why something was decided


def forget_served(connection: sa.Connection, now: int) -> None:
    """Forgets who lost which right, what limits nobody any more, decided reports, and badges that ran out."""
    forget_access(connection, now - ACCESS_MS)
    newcomers.forget_old(connection, now)
    reports.forget_decided(connection, now - DECIDED_MS)
    connection.execute(sa.text("DELETE FROM attestation WHERE until < :now"), {"now": now})
