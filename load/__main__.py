"""`make load`, or `python -m load [SCENARIO …] [--quick] [--docs]`."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from load import machine, report
from load.compiler import CannotMeasureError
from load.hub import Homes
from load.plan import Plan, Reading
from load.scenarios import SCENARIOS
from load.targets import broken

QUIET = 0.1  # of all cores; beyond it two runs of the same code differ by more than what is looked for


def main(
    scenarios: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(SCENARIOS)}; all unless said")] = None,
    quick: Annotated[bool, typer.Option(help="only whether it works; its numbers are no result")] = False,
    docs: Annotated[bool, typer.Option(help="write the tables of docs/performance.md and its pictures")] = False,
    rounds: Annotated[int | None, typer.Option(help="of all peers; the middle one counts")] = None,
    kept: Annotated[Path | None, typer.Option(help="measure nothing, tell what load/results has in this file")] = None,
) -> None:
    """Measure hubchat and its peers on this machine, and hold the numbers against what they should be.

    Fails where a scenario could not be carried through, and where hubchat lost, doubled, disordered or refused
    anything.
    """
    failed: list[str] = []
    if kept:
        readings, where = report.kept(kept)
    else:
        chosen = scenarios or list(SCENARIOS)
        if unknown := set(chosen) - SCENARIOS.keys():
            raise typer.BadParameter(f"no such scenario: {', '.join(sorted(unknown))}")
        plan = Plan.quick() if quick else Plan()
        where = _where()
        readings, failed = _measure(chosen, replace(plan, rounds=rounds or plan.rounds))
        report.keep(readings, where, quick=quick)
    report.show(readings)
    if docs:
        report.write(readings, where)
    if failed or broken(readings):
        raise typer.Exit(1)


def _where() -> str:
    """The machine and the day, and how much of it is others'; warns when that is much."""
    if (busy := machine.busy()) > QUIET:
        print(f"others use {busy:.0%} of this machine: rates will be too low, ratios rough", file=sys.stderr)
    return f"{datetime.now(UTC):%Y-%m-%d}: {machine.describe()}; others used {busy:.0%} of it when the run began"


def _measure(chosen: list[str], plan: Plan) -> tuple[list[Reading], list[str]]:
    """What was read, and the scenarios that could not be carried through."""
    readings: list[Reading] = []
    failed: list[str] = []

    def note(reading: Reading) -> None:
        readings.append(reading)
        print(report.line(reading), file=sys.stderr, flush=True)

    with Homes(plan.crowd) as homes:
        for name in chosen:
            try:
                SCENARIOS[name](plan, note, homes)
            except CannotMeasureError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.append(name)
    return readings, failed


if __name__ == "__main__":
    typer.run(main)
