"""How fast members come in: from the first SYN to the last `welcome` (or what the peer says first)."""

from load import machine, peers
from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading
from load.scenarios.idle import EACH, ROOMS
from load.servers import Side, here

WARM = 200


def connect(plan: Plan, note: Note, homes: Homes) -> None:
    """With 64 handshakes under way at once. On hubchat each signs in with a token of its own; the peers know nobody."""
    home = homes.crowd(ROOMS, EACH)
    sides = {
        "hubchat": Side(home.node, home.nothing),
        "ws": peers.WS,
        "socketio": peers.SOCKETIO,
        "nchan": peers.NCHAN,
        "centrifuge": peers.centrifuge(channels=0),
    }
    sides = here(sides, "connect", note)
    for turn in range(plan.rounds):
        for peer, side in sides.items():
            with side.server() as running, Members(running, side.speech(), readers=WARM):
                before_s = machine.cpu_s(running.pid)
                with Members(running, side.speech(), readers=plan.connects, first=WARM) as members:
                    cpu_s = machine.cpu_s(running.pid) - before_s
                    values = {
                        "per_s": plan.connects / members.connect_s,
                        "cpu_us": cpu_s / plan.connects * 1e6,
                    }
            note(Reading("connect", peer, turn, values=values))
