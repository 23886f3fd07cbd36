"""Ten senders with eight messages in flight each: stored, committed, acknowledged, delivered to every reader."""

from contextlib import ExitStack

from load import hub, peers
from load.members import Members
from load.plan import Note, Plan, Reading
from load.servers import Side
from tests.servers import PostgresServer

SENDERS, IN_FLIGHT_EACH = 10, 8


def durable(plan: Plan, note: Note) -> None:
    """A message is in flight until it is acknowledged. PostgreSQL keeps fsync on and may use both cores."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(durable=True))
        on_sqlite = stack.enter_context(hub.settled())
        on_postgres = stack.enter_context(hub.settled(postgres.url(postgres.create_database())))
        sides = {
            "hubchat": Side(on_sqlite.node, on_sqlite.room),
            "hubchat-postgresql": Side(on_postgres.node, on_postgres.room),
            "socketio": peers.SOCKETIO,
        }
        for turn in range(plan.rounds):
            for readers in plan.durable_readers:
                for peer, side in sides.items():
                    with (
                        side.server() as running,
                        Members(running, side.speech(), readers=readers, senders=SENDERS) as members,
                    ):
                        run = members.run(IN_FLIGHT_EACH, plan.seconds, warmup_s=plan.warmup_s, until="acked")
                    note(Reading("durable", peer, turn, readers, run.values()))
