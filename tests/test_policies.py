"""Rules and privacy notice as files: what is read, in which language, and what is refused."""

from pathlib import Path

import pytest

from hubchat.policies import BYTES, NAMES, PolicyError, best_lang, read_policies, version_of

VALUES = {"hub": "Our hub", "minimum_age": "16"}


def test_what_comes_with_the_hub_is_honest_in_both_languages(tmp_path: Path) -> None:
    found = read_policies(tmp_path, VALUES)
    assert {name: set(texts) for name, texts in found.items()} == {name: {"en", "de"} for name in NAMES}
    for texts in found.values():
        for text in texts.values():
            assert "Our hub" in text
            assert "{" not in text
    assert "can technically read everything that is stored" in found["privacy"]["en"]
    assert "kann technisch alles lesen" in found["privacy"]["de"]
    assert "16" in found["rules"]["en"]
    assert "16" in found["rules"]["de"]


def test_a_file_takes_the_place_of_ours_in_all_languages(tmp_path: Path) -> None:
    (tmp_path / "rules.md").write_text("# {hub}\r\nBe kind.", "utf-8")
    (tmp_path / "rules.pt-BR.md").write_text("Seja gentil.", "utf-8")
    (tmp_path / "rules-old.md").write_text("Be anything.", "utf-8")
    found = read_policies(tmp_path, VALUES)
    assert found["rules"] == {"": "# Our hub\nBe kind.\n", "pt-BR": "Seja gentil.\n"}
    assert set(found["privacy"]) == {"en", "de"}


def test_a_version_is_of_all_languages_and_of_what_stands_in_them() -> None:
    versions = {
        version_of(texts) for texts in ({"": "a"}, {"": "b"}, {"": "a", "de": "a"}, {"en": "a"}, {"": "", "de": "a"})
    }
    assert len(versions) == 5
    assert version_of({"a": "1", "b": "2"}) == version_of({"b": "2", "a": "1"})


@pytest.mark.parametrize(
    ("there", "asked", "given"),
    [
        ("en de", "de", "de"),
        ("en de", "de-AT", "de"),
        ("en de", "fr", "en"),
        (" de", "fr", ""),
        ("pt-BR en", "pt-br", "pt-BR"),
        ("pt-BR de", "fr", "de"),
    ],
)
def test_the_nearest_language_is_given(there: str, asked: str, given: str) -> None:
    assert best_lang(dict.fromkeys(there.split(" "), ""), asked) == given


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("rules.md", b"", "is empty"),
        ("rules.md", b" \n", "is empty"),
        ("rules.md", b"a\0b", "no text"),
        ("rules.md", b"\xff\xfe", "not UTF-8"),
        ("privacy.md", b"x" * (BYTES + 1), "longer than"),
        ("privacy.deutsch!.md", b"x", "names no language"),
        ("rules...md", b"x", "names no language"),
    ],
)
def test_what_is_no_notice_is_told_by_its_file(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PolicyError, match=said) as told:
        read_policies(tmp_path, VALUES)
    assert str(tmp_path / name) in str(told.value)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.md").mkdir()
    with pytest.raises(PolicyError, match="can't be read"):
        read_policies(tmp_path, VALUES)
