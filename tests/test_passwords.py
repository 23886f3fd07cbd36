"""How passwords are hashed, proved and judged."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from hubchat.errors import HubError
from hubchat.passwords import JUDGED_CHARS, Passwords
from hubchat.settings import Settings


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(Settings(argon2_memory_kib=8, argon2_passes=1, password_queue=2))
    yield made
    made.close()


async def test_a_password_is_kept_as_argon2id_and_proved_by_it(passwords: Passwords) -> None:
    hashed = await passwords.hash("seven otters")
    assert hashed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert await passwords.prove(hashed, "seven otters")
    assert not await passwords.prove(hashed, "seven otter")
    assert await passwords.hash("seven otters") != hashed


async def test_without_a_hash_nothing_is_right_and_as_much_is_done(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved: list[str] = []
    verify = passwords._hasher.verify

    class Hasher:
        def verify(self, hashed: str, password: str) -> bool:
            proved.append(hashed)
            return verify(hashed, password)

    monkeypatch.setattr(passwords, "_hasher", Hasher())
    assert not await passwords.prove(None, "seven otters")
    assert not await passwords.prove(None, "")
    assert len(proved) == 2
    assert all(hashed.startswith("$argon2id$v=19$m=8,t=1,p=1$") for hashed in proved)


async def test_what_is_stored_and_is_no_hash_proves_nothing(passwords: Passwords) -> None:
    assert not await passwords.prove("not a hash", "not a hash")


async def test_a_password_is_the_same_from_every_keyboard(passwords: Passwords) -> None:
    assert await passwords.prove(await passwords.hash("Zürich\u00e9"), "Zu\u0308riche\u0301")


async def test_a_hash_is_outgrown_when_the_settings_ask_for_more_and_only_then(passwords: Passwords) -> None:
    hashed = await passwords.hash("seven otters")
    assert not passwords.is_outgrown(hashed)
    for settings, outgrown in (
        (Settings(argon2_memory_kib=16, argon2_passes=1), True),
        (Settings(argon2_memory_kib=8, argon2_passes=2), True),
    ):
        later = Passwords(settings)
        assert later.is_outgrown(hashed) is outgrown
        assert not passwords.is_outgrown(await later.hash("seven otters"))
        later.close()


async def test_beyond_the_queue_the_hub_says_that_it_is_overloaded(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def hold(hashed: str, password: str) -> bool:
        return gate.wait(10)

    monkeypatch.setattr(passwords, "_is_right", hold)
    waiting = [asyncio.create_task(passwords.prove("x", "x")) for _ in range(3)]  # one thread, two in the queue
    await asyncio.sleep(0)
    with pytest.raises(HubError, match="overloaded") as refused:
        await passwords.prove("x", "x")
    assert refused.value.retry_after_ms == 2_000
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await passwords.prove("x", "x")


async def test_who_goes_away_frees_the_place_only_once_the_work_is_done(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(passwords, "_is_right", lambda hashed, password: gate.wait(10))
    gone = [asyncio.create_task(passwords.prove("x", "x")) for _ in range(3)]
    await asyncio.sleep(0.05)
    gone[0].cancel()  # its hash is being computed
    await asyncio.gather(gone[0], return_exceptions=True)
    assert passwords._under_way == 3
    gate.set()
    assert await asyncio.gather(*gone[1:]) == [True, True]
    await asyncio.sleep(0)
    assert passwords._under_way == 0


@pytest.mark.parametrize("password", ["", "short", "password123", "a" * 200, "anaanaana1", "qwertyuiop", "ab" * 500])
async def test_what_is_soon_guessed_is_weak(passwords: Passwords, password: str) -> None:
    with pytest.raises(HubError, match="password_weak"):
        await passwords.require_strong(password, ["ana"])


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "Sommer-Regen-77", "лес река и горы", "金魚すくい夏祭り"]
)
async def test_a_few_words_are_strong_in_any_script(passwords: Passwords, password: str) -> None:
    await passwords.require_strong(password, ["ana"])


async def test_what_others_know_makes_a_password_weak(passwords: Passwords) -> None:
    await passwords.require_strong("xq7-vrrw-9k", [])
    with pytest.raises(HubError, match="password_weak"):
        await passwords.require_strong("xq7-vrrw-9k", ["xq7-vrrw-9k"])


async def test_only_the_beginning_is_judged_but_all_of_it_counts(passwords: Passwords) -> None:
    password = "correct horse battery staple".ljust(JUDGED_CHARS, ".") + "end"
    await passwords.require_strong(password, [])
    assert not await passwords.prove(await passwords.hash(password), password[:-1])


@pytest.mark.parametrize("password", ["x" * 1_025, "ä" * 513, "x" * 1_000_000])
async def test_what_is_too_long_is_refused_before_any_work(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setattr(passwords, "_run", None)
    with pytest.raises(HubError, match="password_too_large"):
        await passwords.require_strong(password, [])
