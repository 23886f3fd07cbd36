"""Everybody comes back at once, as after a network's fault, and goes on from where they stood."""

from hubchat.storage.channels import read_heads
from load import machine, speech
from load.hub import WRITERS, Homes, metrics
from load.members import SLIPS, Members
from load.plan import Note, Plan, Reading

EACH = 5  # channels of a member
READERS = 200  # members of a channel
MISSED = 4  # entries in each of them
AT_ONCE = 2_000  # handshakes: what waits to be accepted beyond 2,048 the kernel drops, and tries again after 1, 3, 7 s


def storm(plan: Plan, note: Note, homes: Homes) -> None:
    """Members with an account each. One stays, so that the node follows the channels and keeps what is said there.

    Timed from the first SYN to the last missed entry of the last member; none may be missing or doubled.
    """
    home = homes.crowd(plan.crowd * EACH // READERS, EACH)
    channels = home.channels
    for turn in range(plan.rounds):
        staying = speech.rooms(home.tokens, channels, [[{"channel": channel} for channel in channels]])
        heads = home.fill(lambda connection: read_heads(connection, channels))
        missing = [{"channel": channel, "after": heads[channel]} for channel in channels]
        coming = speech.rooms(
            home.tokens, channels[:1], [missing[at : at + EACH] for at in range(0, len(missing), EACH)], EACH * MISSED
        )
        with home.node() as running, Members(running, staying, readers=1, senders=WRITERS) as writers:
            said = writers.say(MISSED * len(channels)).values()
            before, before_s = metrics(running.port), machine.cpu_s(running.pid)
            with Members(running, coming, readers=plan.crowd, opening=min(AT_ONCE, plan.crowd)) as members:
                cpu_s = machine.cpu_s(running.pid) - before_s
                after = metrics(running.port)
            reads, replay_reads = (after[name] - before[name] for name in _READING)
            values = {
                "seconds": members.connect_s,
                "cpu_s": cpu_s,
                "cpu_us": cpu_s / plan.crowd * 1e6,
                "reads": reads,
                "reads_each": reads / plan.crowd,
                "replay_reads": replay_reads,
                **{name: said[name] for name in SLIPS},
            }
        note(Reading("storm", "hubchat", turn, plan.crowd, values))


_READING = ("hubchat_reads_total", "hubchat_replay_reads_total")
