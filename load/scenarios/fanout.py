"""One sender, one channel, many readers: what a delivery costs, with 1, 16 and 64 messages in flight."""

from contextlib import ExitStack

from load import hub, peers
from load.members import Members
from load.plan import Note, Plan, Reading
from load.servers import Side


def fanout(plan: Plan, note: Note) -> None:
    """A message is in flight until its last reader has it. On hubchat it is committed on the way, to SQLite."""
    with hub.settled() as home:
        sides = {
            "epoll": peers.EPOLL,
            "ws": peers.WS,
            "hubchat": Side(home.node, home.room),
        }
        for turn in range(plan.rounds):
            for peer, side in sides.items():
                with ExitStack() as stack:
                    running = stack.enter_context(side.server())
                    members = stack.enter_context(
                        Members(running, side.speech(), readers=plan.fanout_readers, senders=1)
                    )
                    for in_flight in plan.in_flight:
                        run = members.run(in_flight, plan.seconds, warmup_s=plan.warmup_s, until="delivered")
                        note(Reading("fanout", peer, turn, in_flight, run.values()))
