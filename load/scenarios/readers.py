"""One room with more and more readers: what a delivery costs falls to what the kernel takes for it, and stays there."""

from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading

IN_FLIGHT = 16


def readers(plan: Plan, note: Note, homes: Homes) -> None:
    """One sender; a message is in flight until its last reader has it."""
    home = homes.sqlite
    for turn in range(plan.rounds):
        for count in plan.readers:
            with home.node() as running, Members(running, home.room(), readers=count, senders=1) as members:
                run = members.run(IN_FLIGHT, plan.seconds, warmup_s=plan.warmup_s, until="delivered")
            note(Reading("readers", "hubchat", turn, count, run.values()))
