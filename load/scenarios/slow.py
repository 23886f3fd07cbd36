"""A busy room with readers who take nothing: what they cost the node and its kernel, and what they cost the others."""

import time

from load import machine
from load.hub import Homes, Hub
from load.members import SLIPS, Members
from load.plan import Note, Plan, Reading
from load.servers import Server

GOOD = 50
IN_FLIGHT = 8
AGAIN = 20  # of the stalled read again in the end: all of them would take gigabytes
AGAIN_S = 30.0
SETTLE_S = 1.0


def slow(plan: Plan, note: Note, homes: Homes) -> None:
    """The same load without and with stalled readers, in two halves: what the second adds would be what grows."""
    home = homes.sqlite
    for turn in range(plan.rounds):
        for stalled in (0, plan.stalled):
            with (
                home.node() as running,
                Members(running, home.room(), readers=stalled) as sleepers,
                Members(running, home.room(), readers=GOOD, senders=1, first=stalled) as members,
            ):
                note(Reading("slow", "hubchat", turn, stalled, _measure(plan, home, running, sleepers, members)))


def _measure(plan: Plan, home: Hub, running: Server, sleepers: Members, members: Members) -> dict[str, float]:
    runs = [members.run(IN_FLIGHT, plan.warmup_s, warmup_s=plan.warmup_s, until="delivered")]
    sleepers.stall()
    sizes = [_sizes(running)]
    for _ in range(2):
        runs.append(members.run(IN_FLIGHT, plan.stall_s, warmup_s=0.0, until="delivered"))
        time.sleep(SETTLE_S)
        sizes.append(_sizes(running))
    seen = [run.values() for run in runs]
    values = {**seen[-1], **{name: sum(run[name] for run in seen) for name in SLIPS}}
    if count := sleepers.readers:
        (rss, rss_half, rss_end), (kernel, kernel_half, kernel_end) = zip(*sizes, strict=True)
        grows = rss_end + kernel_end - rss_half - kernel_half
        values |= {
            "rss_each": (rss_end - rss) / count,
            "kernel_each": (kernel_end - kernel) / count,
            "grows_each": grows / count,
        }
        caught_up = sleepers.read(min(AGAIN, count), home.head(running.port), within_s=AGAIN_S)
        values |= {"again_s": caught_up.seconds, "again_slips": caught_up.slips}
    return values


def _sizes(running: Server) -> tuple[float, float]:
    return machine.rss_bytes(running.pid), machine.socket_bytes()
