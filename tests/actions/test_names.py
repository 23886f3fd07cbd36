"""What people may be called."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubchat.actions.names import likeness, read_about, read_email, read_name, require_handle
from hubchat.errors import HubError


@pytest.mark.parametrize("handle", ["an", "ana", "0815", "dr-ebert", "a-", "a--b", "a" * 31, "ian", "lan", "helper"])
def test_a_handle_is_2_to_31_of_letters_digits_and_dashes(handle: str) -> None:
    require_handle(handle)


@pytest.mark.parametrize(
    "handle",
    ["", "a", "-ana", "Ana", "ana_b", "ana.b", "ana b", "a" * 32, "änne", "аna", "ana\n", "\nana", "ana\u200b", "ana\0",
     "🙂🙂", "../x", "٣٣"],
)  # fmt: skip
def test_anything_else_is_none(handle: str) -> None:
    with pytest.raises(HubError) as refused:
        require_handle(handle)
    assert (refused.value.reason, list(refused.value.fields or {})) == ("handle_invalid", ["handle"])


@pytest.mark.parametrize(
    "handle",
    ["admin", "root", "system", "hubchat", "help", "support", "everyone", "here", "all", "me", "new", "moderators",
     "ad-min", "adm1n", "r00t", "he1p", "h-u-bchat", "support-", "mod3rat0r".replace("3", "e")],
)  # fmt: skip
def test_a_handle_that_speaks_for_the_hub_or_looks_so_is_reserved(handle: str) -> None:
    with pytest.raises(HubError, match="handle_reserved"):
        require_handle(handle)


@pytest.mark.parametrize(
    ("one", "other"), [("dr-ebert", "drebert"), ("anna10", "annalo"), ("a-1", "al"), ("b0b", "bob-")]
)
def test_handles_that_look_alike_are_alike(one: str, other: str) -> None:
    assert likeness(one) == likeness(other)


@pytest.mark.parametrize(("one", "other"), [("ian", "lan"), ("anna", "ana"), ("ben-2", "ben-3"), ("nina", "mina")])
def test_names_that_people_tell_apart_are_not(one: str, other: str) -> None:
    assert likeness(one) != likeness(other)


@pytest.mark.parametrize(
    "name",
    ["", "   ", "\u200d", "\u3164", "\u2800", "a" * 61, "Ana\u202egnp", "Ana\u2066", "\u061cAna", "\u200eAna",
     "Ana\u0007", "Ana\u2028Ben", "Ana\nBen", "Ana\tBen", "Ana\u00ad", "Ana\u200bBen", "A\0na",
     "\ue000", "A\ud800", "\U000e0041A"],
)  # fmt: skip
def test_a_name_that_hides_something_or_everything_is_refused(name: str) -> None:
    with pytest.raises(HubError) as refused:
        read_name(name)
    assert (refused.value.reason, list(refused.value.fields or {})) == ("name_invalid", ["name"])


@pytest.mark.parametrize(
    "name", ["Åsa", "Ρένα", "Лена Ильина", "李 明", "علی\u200cرضا", "👩🏽\u200d⚕️ Ana", "O’Neill", "x", "a" * 60]
)
def test_a_name_may_be_of_any_script_and_is_kept_composed(name: str) -> None:
    assert read_name(f"  {unicodedata.normalize('NFD', name)}\n") == unicodedata.normalize("NFC", name)


def test_spaces_in_a_name_are_single() -> None:
    assert read_name("Ana \u3000\u00a0 Maria") == "Ana Maria"


@given(st.text())
def test_a_name_that_is_kept_is_kept_as_it_is(text: str) -> None:
    try:
        name = read_name(text)
    except HubError:
        return
    assert read_name(name) == name
    assert 1 <= len(name) <= 60
    assert name.encode().decode() == name


@pytest.mark.parametrize(
    "email",
    ["ana", "ana@", "@example.org", "a b@example.org", "ana@example", "a@b.c\u202e", f"{'a' * 250}@b.org", "a@b@c.org",
     "a@b.org\nBcc: c@d.org", "<a@b.org>", "a\0@b.org"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(email: str) -> None:
    with pytest.raises(HubError, match="email_invalid"):
        read_email(email)


def test_an_address_is_kept_as_it_was_written() -> None:
    assert read_email(" Ana.M+hub@Example.org ") == "Ana.M+hub@Example.org"
    assert read_email("  ") is None
    assert read_email(None) is None


def test_what_somebody_says_of_themselves_may_have_lines_and_nothing_hidden() -> None:
    assert read_about(" one\ntwo ") == "one\ntwo"
    assert read_about("  ") is None
    for about in ("x" * 501, "a\u202eb", "a\0"):
        with pytest.raises(HubError, match="fields_invalid"):
            read_about(about)
