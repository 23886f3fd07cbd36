"""Ten senders with eight messages in flight each: stored, committed, acknowledged, delivered to every reader."""

from load import peers
from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading
from load.servers import Side, here

SENDERS, IN_FLIGHT_EACH = 10, 8


def durable(plan: Plan, note: Note, homes: Homes) -> None:
    """A message is in flight until it is acknowledged. PostgreSQL keeps fsync on and may use both cores."""
    sides = {
        "hubchat": Side(homes.sqlite.node, homes.sqlite.room),
        "hubchat-postgresql": Side(homes.postgres.node, homes.postgres.room),
        "socketio": peers.SOCKETIO,
        "ejabberd": peers.EJABBERD,
    }
    sides = here(sides, "durable", note)
    for turn in range(plan.rounds):
        for readers in plan.durable_readers:
            for peer, side in sides.items():
                with (
                    side.server() as running,
                    Members(running, side.speech(), readers=readers, senders=SENDERS) as members,
                ):
                    run = members.run(IN_FLIGHT_EACH, plan.seconds, warmup_s=plan.warmup_s, until="acked")
                note(Reading("durable", peer, turn, readers, run.values()))
