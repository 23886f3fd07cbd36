"""Each interleaving test fails when its rule is taken out: the rule is removed from a copy, and the test run on it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("-p", "pytest_asyncio.plugin", "-p", "pytest_timeout")  # all of them take a second to load
WRITING = "*.pyc.*"  # by another process: compiled code is copied too, but for what is half written


class Rule(NamedTuple):
    """A rule's words in a module, what stands there without it, and the test that holds it."""

    module: str
    words: str
    without: str
    test: str


RULES = {
    "a reader enters only where the channel stands": Rule(
        "channels/catchup.py",
        "if subscription.position is not None and subscription.position >= live.at and live.opened:",
        "if True:",
        "test_who_joins_while_a_batch_goes_out_misses_and_doubles_nothing",
    ),
    "a right is asked again when rights changed meanwhile": Rule(
        "gateway/commands.py",
        "if epoch == hub.access_epoch:",
        "if True:",
        "test_a_right_that_is_lost_while_it_is_asked_is_not_given",
    ),
    "a batch first revokes, then delivers": Rule(
        "channels/hub.py",
        "self._act(access)",
        "asyncio.get_running_loop().call_later(0.3, self._act, access)",
        "test_who_loses_the_right_hears_nothing_of_the_same_batch",
    ),
    "a paused reader leaves the readers": Rule(
        "channels/hub.py",
        "subscription.position = subscription.live.at\n            self._take_out(subscription)",
        "subscription.position = subscription.live.at",
        "test_a_reader_whose_socket_fills_in_the_middle_of_a_write_goes_on_where_it_stood",
    ),
    "a paused reader's place is where the channel stands": Rule(
        "channels/hub.py",
        "subscription.position = subscription.live.at\n            self._take_out(subscription)",
        "subscription.position = subscription.live.at - 1\n            self._take_out(subscription)",
        "test_a_reader_whose_socket_fills_in_the_middle_of_a_write_goes_on_where_it_stood",
    ),
    "a lagging reader is not read from": Rule(
        "gateway/session.py",
        "self.lagging = True\n        self.link.stop_reading()",
        "self.lagging = True",
        "test_a_reader_that_lags_is_written_nothing_and_not_read_from",
    ),
    "a change empties the slots of its target": Rule(
        "channels/recent.py",
        "slots.slots[at] = None",
        "pass",
        "test_a_replay_never_shows_what_an_edit_replaced",
    ),
    "what changed while a replay was read is read again": Rule(
        "channels/catchup.py",
        "stale = encoded.seq in changed or encoded.target in changed",
        "stale = False",
        "test_what_is_deleted_while_a_replay_reads_it_does_not_come",
    ),
    "a nonce is one message": Rule(
        "channels/batch.py",
        "if isinstance(item, Message) and (known := self.nonces.get((item.channel, item.persona, item.nonce))):",
        "if isinstance(item, Message) and (known := None):",
        "test_equal_nonces_in_one_batch_are_one_message",
    ),
    "a batch that fails runs again item by item": Rule(
        "channels/log.py",
        "if len(batch) > 1:",
        "if False:",
        "test_one_item_that_cannot_be_stored_takes_no_other_with_it",
    ),
    "an unknown outcome is asked": Rule(
        "channels/log.py",
        "except OutcomeUnknown:\n            await self._ask(batch, began)\n        except Locked:",
        "except Locked:",
        "test_after_a_commit_of_unknown_outcome_what_is_stored_is_acknowledged_and_published_and_nothing_else",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_without_its_rule_the_test_fails(name: str, tmp_path: Path) -> None:
    rule = RULES[name]
    shutil.copytree(ROOT / "hubchat", tmp_path / "hubchat", ignore=shutil.ignore_patterns("static", WRITING))
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns(WRITING))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    module = tmp_path / "hubchat" / rule.module
    source = module.read_text()
    assert rule.words in source, "the rule reads otherwise now: say it here too"
    module.write_text(source.replace(rule.words, rule.without))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *PLUGINS,
         "tests/channels/test_interleavings.py", "-k", f"{rule.test} and sqlite"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "HUBCHAT_TEST_WAIT_S": "2",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )  # fmt: skip
    assert run.returncode == 1, run.stdout + run.stderr
    assert f"FAILED tests/channels/test_interleavings.py::{rule.test}" in run.stdout
