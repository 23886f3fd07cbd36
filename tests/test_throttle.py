"""How fast somebody may guess."""

import pytest

from hubchat import throttle
from hubchat.errors import HubError
from hubchat.throttle import ADDRESS_TRIES, FREE, LONGEST_S, Pace, Throttle, network_of


class Clock:
    def __init__(self) -> None:
        self.now = 5_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Throttle:
    return Throttle(clock)


def wait_of(guard: Throttle, handle: str = "ana", address: str = "10.0.0.1", device: str | None = None) -> float:
    """How many seconds the next try has to wait; when it need not, it is counted."""
    try:
        guard.begin(handle, address, device)
    except HubError as error:
        return (error.retry_after_ms or 0) / 1_000 if error.reason == "too_many_tries" else 0.0
    return 0.0


def test_waits_double_from_a_second_to_a_quarter_of_an_hour(guard: Throttle, clock: Clock) -> None:
    assert [wait_of(guard) for _ in range(FREE)] == [0.0] * FREE
    waits = []
    for _ in range(13):
        waits.append(round(wait := wait_of(guard)))
        clock.now += wait
        assert wait_of(guard) == 0.0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert waits[-1] == LONGEST_S


def test_a_try_that_was_refused_does_not_prolong_the_wait(guard: Throttle, clock: Clock) -> None:
    for _ in range(FREE):
        wait_of(guard)
    for _ in range(50):
        assert wait_of(guard) > 0
    clock.now += 1.01
    assert wait_of(guard) == 0.0


def test_who_succeeds_begins_anew(guard: Throttle) -> None:
    for _ in range(3):
        for _ in range(FREE - 1):
            wait_of(guard)
        guard.succeeded(guard.begin("ana", "10.0.0.1", None))


def test_tries_at_once_are_all_counted(guard: Throttle) -> None:
    """Each counts before its outcome is known: a hundred in parallel are no hundred free ones."""
    assert [wait_of(guard) > 0 for _ in range(FREE + 5)] == [False] * FREE + [True] * 5


def test_others_and_elsewhere_are_not_slowed(guard: Throttle) -> None:
    for _ in range(FREE):
        wait_of(guard)
    assert wait_of(guard) > 0
    assert wait_of(guard, handle="ben") == 0.0
    assert wait_of(guard, address="10.0.0.2") == 0.0
    assert wait_of(guard, device="a browser") == 0.0


def test_each_browser_that_signed_in_before_has_its_own_allowance(guard: Throttle) -> None:
    for _ in range(FREE):
        assert wait_of(guard, device="a phone") == 0.0
    assert wait_of(guard, device="a phone") > 0
    assert wait_of(guard, device="a laptop") == 0.0


def test_an_hour_without_a_try_is_forgotten(guard: Throttle, clock: Clock) -> None:
    for _ in range(FREE + 20):
        wait_of(guard)
    clock.now += 3_600
    assert [wait_of(guard) for _ in range(FREE)] == [0.0] * FREE


def test_an_address_has_a_hundred_tries_an_hour_whatever_the_handle(guard: Throttle, clock: Clock) -> None:
    assert all(wait_of(guard, handle=f"m-{at}") == 0.0 for at in range(ADDRESS_TRIES))
    clock.now += 600
    assert round(wait_of(guard, handle="ana")) == 3_000
    assert wait_of(guard, device="a browser that signed in before") == 0.0
    assert wait_of(guard, address="10.0.0.2") == 0.0
    clock.now += 3_000
    assert wait_of(guard, handle="ana") == 0.0


def test_right_passwords_cost_an_address_nothing(guard: Throttle) -> None:
    """A clinic's two hundred members may sit behind one address."""
    for at in range(ADDRESS_TRIES * 2):
        guard.succeeded(guard.begin(f"m-{at}", "10.0.0.1", None))


def test_what_is_remembered_is_bounded(guard: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "KEPT", 100)
    for at in range(1_000):
        guard.begin(f"m-{at}", f"10.0.{at // 250}.{at % 250}", None)
    assert (len(guard._handles), len(guard._networks)) == (100, 100)
    assert ("m-999", "from 10.0.3.249") in guard._handles


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_address_of_ipv6_counts_by_its_64_bits_that_one_subscriber_has(address: str, network: str) -> None:
    assert network_of(address) == network


def test_who_asks_too_fast_waits_and_nobody_else_does() -> None:
    now = 0.0
    pace = Pace(2, lambda: now)
    for caller in ("ana", "ana", "ben"):
        pace.take(caller)
    with pytest.raises(HubError) as raised:
        pace.take("ana")
    assert raised.value.reason == "too_fast"
    assert raised.value.retry_after_ms is not None
    pace.take("ben")
    now = raised.value.retry_after_ms / 1_000
    pace.take("ana")
    with pytest.raises(HubError):
        pace.take("ana")
    now += 3_600
    for _ in range(2):
        pace.take("ana")
    with pytest.raises(HubError):
        pace.take("ana")


def test_a_pace_of_nothing_is_none_and_the_least_recent_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(1_000):
        Pace(0).take("ana")
    monkeypatch.setattr("hubchat.throttle.KEPT", 2)
    pace = Pace(1, lambda: 0.0)
    for caller in ("ana", "ben", "cem", "ana"):
        pace.take(caller)
    with pytest.raises(HubError):
        pace.take("cem")
