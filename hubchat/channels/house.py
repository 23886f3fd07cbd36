"""What administrators change while the hub runs: guests, sign-up, whom to turn to. Kept in SQL, known to every node.

What an operator has set in the environment or in hubchat.toml wins, and can't be changed here.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from pydantic import ValidationError

from hubchat.settings import CHANGEABLE, Settings

KEY: Final = "house"
"""Under which the hub's facts hold it, as JSON: the settings by name, and `at`, when they were changed (ms)."""

log: Final = logging.getLogger(__name__)


class House:
    """The settings in force on this node. `asked`: an administrator has decided about them."""

    def __init__(self, settings: Settings) -> None:
        self.operators: Final = settings
        self.fixed: Final = frozenset(settings.model_fields_set & set(CHANGEABLE))
        self.now = settings
        self.asked = False
        self.on_change: list[Callable[[], None]] = []
        self._told = ""
        self._at = 0

    def take(self, told: str | None) -> None:
        """What SQL holds, or held a moment ago: what is older than what is known changes nothing."""
        if not told or told == self._told:
            return
        try:
            given = orjson.loads(told)
            if given["at"] < self._at:
                return
            self.now, self._at, self._told = self.with_(given), given["at"], told
        except (ValueError, TypeError, KeyError, ValidationError):  # of another release: what was in force goes on
            self._told = told  # said once
            log.warning("the house's settings can't be read")
            return
        self.asked = True
        for hear in self.on_change:
            hear()

    def with_(self, given: Mapping[str, Any]) -> Settings:
        """The settings with these values where the operator has set none. Raises ValidationError for a wrong one."""
        own = {name: value for name, value in given.items() if name in CHANGEABLE and name not in self.fixed}
        return Settings.model_validate(self.operators.model_dump() | own)
