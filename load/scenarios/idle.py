"""What an idle connection keeps resident: on hubchat each has an account and five channels of its rooms."""

import time

from load import machine, peers
from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading
from load.servers import Side, here

SETTLE_S = 2.0
ROOMS, EACH = 50, 5  # of a connection: each room has a tenth of all for readers, 500 in a whole run


def idle(plan: Plan, note: Note, homes: Homes) -> None:
    """The difference between a small and a large crowd, so that what a server takes once doesn't count."""
    few, many = plan.idle
    home = homes.crowd(ROOMS, EACH)
    sides = {
        "hubchat": Side(home.node, lambda: home.own_rooms(EACH)),
        "ws": peers.WS,
        "socketio": peers.SOCKETIO,
        "nchan": peers.NCHAN,
        "centrifuge": peers.centrifuge(channels=EACH),
        "centrifuge-gathering": peers.centrifuge(channels=EACH, gather_ms=peers.GATHER_MS),
    }
    sides = here(sides, "idle", note)
    for turn in range(plan.rounds):
        for peer, side in sides.items():
            with (
                side.server() as running,
                Members(running, side.speech(), readers=few),
            ):
                time.sleep(SETTLE_S)
                before = machine.rss_bytes(running.pid)
                with Members(running, side.speech(), readers=many - few, first=few):
                    time.sleep(SETTLE_S)
                    each = (machine.rss_bytes(running.pid) - before) / (many - few)
            note(Reading("idle", peer, turn, values={"bytes": each}))
