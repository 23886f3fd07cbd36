"""What is measured, each by one function that takes turns between peers and notes what it saw."""

from collections.abc import Callable

from load.hub import Homes
from load.plan import Note, Plan
from load.scenarios.across import across
from load.scenarios.connect import connect
from load.scenarios.durable import durable
from load.scenarios.fanout import fanout
from load.scenarios.history import history
from load.scenarios.idle import idle
from load.scenarios.nodes import nodes
from load.scenarios.readers import readers
from load.scenarios.rooms import rooms
from load.scenarios.search import search
from load.scenarios.slow import slow
from load.scenarios.starts import starts
from load.scenarios.storm import storm

SCENARIOS: dict[str, Callable[[Plan, Note, Homes], None]] = {
    "fanout": fanout,
    "readers": readers,
    "idle": idle,
    "durable": durable,
    "rooms": rooms,
    "nodes": nodes,
    "across": across,
    "storm": storm,
    "slow": slow,
    "history": history,
    "search": search,
    "connect": connect,
    "starts": starts,
}
