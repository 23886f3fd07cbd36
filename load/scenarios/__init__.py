"""What is measured, each by one function that takes turns between peers and notes what it saw."""

from collections.abc import Callable

from load.hub import Homes
from load.plan import Note, Plan
from load.scenarios.connects import connects
from load.scenarios.durable import durable
from load.scenarios.fanout import fanout
from load.scenarios.memory import memory
from load.scenarios.starts import starts

SCENARIOS: dict[str, Callable[[Plan, Note, Homes], None]] = {
    "fanout": fanout,
    "memory": memory,
    "durable": durable,
    "connects": connects,
    "starts": starts,
}
