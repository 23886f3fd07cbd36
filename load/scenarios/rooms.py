"""The same chat in more and more rooms: as many members, as many readers a room, as many messages under way."""

from load import speech
from load.hub import WRITERS, Homes, Hub, blocks, metrics
from load.members import Members
from load.plan import Note, Plan, Reading
from load.scenarios.durable import IN_FLIGHT_EACH
from load.scenarios.storm import EACH
from load.speech import Speech

READERS = 20  # of each room


def rooms(plan: Plan, note: Note, homes: Homes) -> None:
    """Ten senders write to the rooms in turn; who reads none of them is connected all the same.

    In one room many messages share a write, in a thousand hardly any do, so what a write costs is told too.
    """
    home = homes.crowd(max(plan.rooms), EACH)
    for turn in range(plan.rounds):
        for count in plan.rooms:
            each = max(1, count * READERS // plan.room_members)
            readers = count * READERS // each
            with (
                home.node() as running,
                Members(running, home.nothing(), readers=plan.room_members - readers, first=readers),
                Members(
                    running, _speech(home, count, each), readers=readers, senders=WRITERS, copies=READERS
                ) as members,
            ):
                before = metrics(running.port)
                run = members.run(IN_FLIGHT_EACH, plan.seconds, warmup_s=plan.warmup_s, until="acked")
                after = metrics(running.port)
            writes, deliveries = (after[name] - before[name] for name in _GROWING)
            # The meters count warm-up and end too, so it is their own ratio that is told.
            shared = deliveries / writes
            values = {"deliveries_per_write": shared, "cpu_us_per_write": run.cpu_s / run.deliveries * shared * 1e6}
            note(Reading("rooms", "hubchat", turn, count, {**run.values(), **values}))


_GROWING = ("hubchat_writes_total", "hubchat_deliveries_total")


def _speech(home: Hub, count: int, each: int) -> Speech:
    written = home.channels[:count]
    read = [[{"channel": channel} for channel in block] for block in blocks(written, each)]
    return speech.rooms(home.tokens, written, read)
