"""Peers' configurations: files of this folder in which @NAME@ stands for what only a run knows."""

from pathlib import Path

HERE = Path(__file__).parent


def filled(source: str, folder: Path, **values: str) -> Path:
    """A copy in `folder` of a file below load/peers; raises ValueError when a value has no place in it."""
    text = (HERE / source).read_text("utf-8")
    for name, value in values.items():
        if f"@{name}@" not in text:
            raise ValueError(f"{source} has no @{name}@")
        text = text.replace(f"@{name}@", value)
    copy = folder / Path(source).name
    copy.write_text(text, "utf-8")
    return copy
