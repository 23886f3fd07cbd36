"""The durable load of one room on one node, and on two and three with a real Redis between them, over PostgreSQL."""

from load.hub import Homes
from load.members import Members
from load.plan import Note, Plan, Reading
from load.scenarios.durable import IN_FLIGHT_EACH, SENDERS

READERS = 50


def nodes(plan: Plan, note: Note, homes: Homes) -> None:
    """Senders are at the first node, readers take turns between all. Every node is on the servers' core, so a rate with
    two is that of half a core each: what a message costs all nodes together is what can be compared.

    PostgreSQL and Redis may use both cores. One node alone has no Redis, as it would be run.
    """
    home = homes.postgres
    for turn in range(plan.rounds):
        for count in plan.nodes:
            redis_url = homes.redis.url if count > 1 else None
            with (
                home.nodes(count, redis_url) as (first, *others),
                Members(first, home.room(), readers=READERS, senders=SENDERS, beside=others) as members,
            ):
                run = members.run(IN_FLIGHT_EACH, plan.seconds, warmup_s=plan.warmup_s, until="acked")
            note(Reading("nodes", "hubchat", turn, count, run.values()))
