"""What makes a conversation one."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from hubchat.storage.conversations import _address

people = st.sets(st.integers(1, 2**53 - 1), min_size=2, max_size=8)


@given(people)
def test_the_same_people_in_any_order_have_one_address(ids: set[int]) -> None:
    orders = [list(order) for order, _ in zip(permutations(ids), range(5), strict=False)]
    assert {_address(order) for order in orders} == {_address(ids)}


@given(people, people)
def test_other_people_have_another_address(some: set[int], others: set[int]) -> None:
    assert (_address(some) == _address(others)) == (some == others)


@given(people)
def test_no_group_can_have_the_address_of_a_conversation(ids: set[int]) -> None:
    address = _address(ids)
    assert address.startswith("~")
    assert str(next(iter(ids))) not in address or len(str(next(iter(ids)))) < 4
