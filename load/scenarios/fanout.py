"""One sender, one channel, many readers: what a delivery costs, with 1, 16 and 64 messages in flight."""

from load import peers
from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading
from load.servers import Side, here


def fanout(plan: Plan, note: Note, homes: Homes) -> None:
    """A message is in flight until its last reader has it. On hubchat it is committed on the way, to SQLite."""
    home = homes.sqlite
    sides = {
        "epoll": peers.EPOLL,
        "ws": peers.WS,
        "nchan": peers.NCHAN,
        "centrifuge": peers.centrifuge(),
        "centrifuge-gathering": peers.centrifuge(gather_ms=peers.GATHER_MS),
        "hubchat": Side(home.node, home.room),
    }
    sides = here(sides, "fanout", note)
    for turn in range(plan.rounds):
        for peer, side in sides.items():
            with (
                side.server() as running,
                Members(running, side.speech(), readers=plan.fanout_readers, senders=1) as members,
            ):
                for in_flight in plan.in_flight:
                    run = members.run(in_flight, plan.seconds, warmup_s=plan.warmup_s, until="delivered")
                    note(Reading("fanout", peer, turn, in_flight, run.values()))
