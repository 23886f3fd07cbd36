"""`make load`, or `python -m load [SCENARIO …] [--quick] [--docs]`."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from load import machine, report
from load.compiler import CannotMeasureError
from load.hub import Homes
from load.plan import Plan, Reading
from load.scenarios import SCENARIOS


def main(
    scenarios: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(SCENARIOS)}; all unless said")] = None,
    quick: Annotated[bool, typer.Option(help="only whether it works, in about a minute")] = False,
    docs: Annotated[bool, typer.Option(help="write the table of docs/performance.md and its pictures")] = False,
    rounds: Annotated[int | None, typer.Option(help="of all peers; the middle one counts")] = None,
) -> None:
    """Measure a hubchat node and its peers on this machine, and hold the numbers against what they should be."""
    chosen = scenarios or list(SCENARIOS)
    if unknown := set(chosen) - SCENARIOS.keys():
        raise typer.BadParameter(f"no such scenario: {', '.join(sorted(unknown))}")
    plan = Plan.quick() if quick else Plan()
    plan = replace(plan, rounds=rounds or plan.rounds)
    readings = _measure(chosen, plan)
    report.keep(readings, quick=quick)
    report.show(readings)
    if docs:
        report.write(readings, machine.describe())


def _measure(chosen: list[str], plan: Plan) -> list[Reading]:
    readings: list[Reading] = []

    def note(reading: Reading) -> None:
        readings.append(reading)
        print(report.line(reading), file=sys.stderr, flush=True)

    with Homes() as homes:
        for name in chosen:
            try:
                SCENARIOS[name](plan, note, homes)
            except CannotMeasureError as error:
                print(f"{name}: {error}", file=sys.stderr)
                raise typer.Exit(1) from None
    return readings


if __name__ == "__main__":
    typer.run(main)
