"""Rules and privacy notice: Markdown in the data folder, `rules.md` and `privacy.md`, else those that come with us.

Further languages are `rules.de.md` and the like; the file without a language is for whoever has none of those. A
version is the hash of a notice in all its languages, so that a new one is agreed to by everybody alike.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from hubchat.errors import OperatorError

Name: TypeAlias = Literal["rules", "privacy"]
NAMES: Final[tuple[Name, ...]] = ("rules", "privacy")
SHIPPED: Final = Path(__file__).parent
BYTES: Final = 256 << 10  # of one: nobody reads more, and a phone has to load it
LANG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
VERSION_CHARS: Final = 16  # of a SHA-256 in hex: nobody makes two notices of one version by chance

Texts: TypeAlias = Mapping[str, str]
"""Language → text; "" is the one without a language."""


class PolicyError(OperatorError):
    """A notice can't be read, or would say nothing."""


def read_policies(folder: Path, values: Mapping[str, str]) -> dict[Name, Texts]:
    """Each notice as it is shown here: `{hub}` and the like in it are replaced by `values`. Raises PolicyError."""
    found: dict[Name, Texts] = {}
    for name in NAMES:
        texts = _read(folder, name) or _read(SHIPPED, name)
        for word, value in values.items():
            texts = {lang: text.replace(f"{{{word}}}", value) for lang, text in texts.items()}
        found[name] = texts
    return found


def version_of(texts: Texts) -> str:
    """What a notice in all its languages is known by."""
    told = "\0".join(f"{lang}\0{texts[lang]}" for lang in sorted(texts))
    return hashlib.sha256(told.encode()).hexdigest()[:VERSION_CHARS]


def best_lang(langs: Mapping[str, str], asked: str) -> str:
    """The language of those there are that comes next to the one asked for."""
    known = {lang.lower(): lang for lang in langs}
    wanted = asked.lower()
    for one in (wanted, wanted.partition("-")[0], "", "en"):
        if one in known:
            return known[one]
    return min(langs)


def _read(folder: Path, name: Name) -> dict[str, str]:
    texts = {}
    for path in sorted([*folder.glob(f"{name}.md"), *folder.glob(f"{name}.*.md")]):
        lang = path.name.removeprefix(f"{name}.").removesuffix("md").removesuffix(".")
        if lang and not LANG.fullmatch(lang):
            raise PolicyError(f"{path} names no language: want {name}.md, or {name}.de.md and the like")
        texts[lang] = _text(path)
    return texts


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise PolicyError(f"{path} can't be read: {(error.strerror or type(error).__name__).lower()}") from None
    except UnicodeDecodeError:
        raise PolicyError(f"{path} is not UTF-8") from None
    if len(data) > BYTES or "\0" in text or not text.strip():
        raise PolicyError(f"{path} is empty, longer than {BYTES >> 10} KB, or no text")
    return text.replace("\r\n", "\n").strip() + "\n"
