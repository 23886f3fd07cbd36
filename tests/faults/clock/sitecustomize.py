"""A node under test loads this first: its clock is HUBCHAT_TEST_CLOCK_S ahead of the true one."""

import os
import time

_AHEAD_S = int(os.environ["HUBCHAT_TEST_CLOCK_S"])
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _AHEAD_S
time.time_ns = lambda: _time_ns() + _AHEAD_S * 1_000_000_000
