"""The edge behaves as RFC 6455 and RFC 7692 say, by others' judgement."""

from pathlib import Path

import pytest

from tests.conformance import cases

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


async def test_the_quick_autobahn_cases_are_ok_or_informational() -> None:
    results = await cases.run(cases.LONG, concurrency=8)
    assert cases.not_good(results) == []
    assert len(results) == 247


@pytest.mark.conformance
@pytest.mark.timeout(3_600)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # kosoku leaves its test data open
async def test_all_autobahn_cases_are_ok_or_informational() -> None:
    """Writes docs/conformance.md."""
    results = await cases.run([], concurrency=2)
    assert cases.not_good(results) == []
    assert len(results) == 517
    PAGE.write_text(cases.page(results), "utf-8")
