"""Who may see whose presence: people who share a group or conversation, as each has chosen; nobody whom one blocks.

A group that anybody may join counts only with those whom its list of members shows the viewer anyhow, or joining it
and watching somebody would tell that they are in it.
"""

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from hubchat.storage.bulk import Bulk
from hubchat.storage.members import shown_as

_VISIBLE: Final = Bulk(
    "SELECT DISTINCT rows_.viewer_id, persona.id AS persona_id, persona.account_id FROM {rows} "
    "JOIN persona ON persona.id = rows_.persona_id AND persona.gone_at IS NULL "
    "JOIN account ON account.id = persona.account_id AND account.state = 'active' AND account.presence <> 'nobody' "
    "JOIN account AS viewer ON viewer.id = rows_.viewer_id AND viewer.presence <> 'nobody' "
    "JOIN membership AS mine ON mine.account_id = rows_.viewer_id AND mine.state = 'member' "
    "JOIN membership AS theirs ON theirs.access_id = mine.access_id AND theirs.persona_id = persona.id "
    "AND theirs.state = 'member' "
    "JOIN channel ON channel.id = mine.access_id "
    "WHERE NOT EXISTS (SELECT 1 FROM block WHERE (block.account_id = viewer.id AND block.blocked_id = account.id) "
    "OR (block.account_id = account.id AND block.blocked_id = viewer.id)) "
    "AND (channel.kind = 'conversation' OR (channel.kind = 'group' AND account.presence = 'shared' "
    f"AND viewer.presence = 'shared' AND (mine.role <> 'member' OR {shown_as('theirs')})))",
    viewer_id="bigint",
    persona_id="bigint",
)


def read_visible(connection: sa.Connection, wanted: Iterable[tuple[int, int]]) -> dict[int, dict[int, int]]:
    """Of (viewer's account, persona): viewer → persona → account, for those whom the viewer may see."""
    found: dict[int, dict[int, int]] = {}
    for row in _VISIBLE.run(connection, list(wanted)):
        found.setdefault(row.viewer_id, {})[row.persona_id] = row.account_id
    return found


_PERSONAS: Final = Bulk("SELECT persona.id FROM {rows} JOIN persona ON persona.account_id = rows_.id", id="bigint")


def read_personas(connection: sa.Connection, accounts: Iterable[int]) -> list[int]:
    """Every persona of these accounts."""
    return [row.id for row in _PERSONAS.run(connection, [(account,) for account in accounts])]
