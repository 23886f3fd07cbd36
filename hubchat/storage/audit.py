"""Who did what, by ids and without words."""

import sqlalchemy as sa

from hubchat.storage.database import new_id


def record(connection: sa.Connection, at: int, actor: int | None, action: str, subject: int | None) -> None:
    """Writes down that the account `actor` (None: the hub itself) did `action` to what has the id `subject`.

    Of what is done to a member of a group the subject is the group: who is in it is not for administrators.
    """
    connection.execute(
        sa.text("INSERT INTO audit (id, at, actor, action, subject) VALUES (:id, :at, :actor, :action, :subject)"),
        {"id": new_id(), "at": at, "actor": actor, "action": action, "subject": subject},
    )
