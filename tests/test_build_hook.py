"""What packaging does about the web client, without building it."""

from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from hatchling.metadata.core import ProjectMetadata

from hatch_build import NODE_PACKAGE, WebClientHook


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a web client, on a machine with an empty PATH."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("HUBCHAT_SKIP_FRONTEND", raising=False)
    for folder in ("bin", "web"):
        (tmp_path / folder).mkdir()
    (tmp_path / "web" / "package.json").write_text("{}")
    return tmp_path


def hook(sources: Path) -> WebClientHook:
    metadata: Any = create_autospec(ProjectMetadata, instance=True)
    return WebClientHook(str(sources), {}, None, metadata, str(sources), "wheel")


def install_node(sources: Path, version: str) -> None:
    for name in ("node", "npm"):
        program = sources / "bin" / name
        program.write_text(f'#!/bin/sh\necho {version}\necho {name} "$@" >> {sources}/ran\n')
        program.chmod(0o755)


@pytest.mark.parametrize(("version", "wanted"), [(None, [NODE_PACKAGE]), ("v20.19.0", [NODE_PACKAGE]), ("v24.1.0", [])])
def test_node_is_fetched_only_where_the_machine_has_none_that_will_do(
    sources: Path, version: str | None, wanted: list[str]
) -> None:
    if version:
        install_node(sources, version)
    assert hook(sources).dependencies() == wanted


def test_a_wheel_is_built_from_the_locked_parts(sources: Path) -> None:
    install_node(sources, "v24.1.0")
    hook(sources).initialize("standard", {})
    assert (sources / "ran").read_text().splitlines() == ["node --version", "npm ci", "npm run build"]


@pytest.mark.parametrize("reason", ["editable", "skipped", "already built"])
def test_nothing_is_fetched_or_built_where_nothing_has_to_be(
    sources: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "skipped":
        monkeypatch.setenv("HUBCHAT_SKIP_FRONTEND", "1")
    if reason == "already built":
        (sources / "web" / "package.json").unlink()
    built = hook(sources)
    if reason != "editable":
        assert built.dependencies() == []
    install_node(sources, "v24.1.0")
    built.initialize("editable" if reason == "editable" else "standard", {})
    assert not (sources / "ran").exists()


def test_the_build_and_the_hook_name_the_same_node() -> None:
    assert f'"{NODE_PACKAGE}"' in Path(__file__).parents[1].joinpath("pyproject.toml").read_text()
