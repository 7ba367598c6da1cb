"""`framelight bench`."""

from __future__ import annotations

import argparse
import logging

from harness.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> int:
    """Run benchmarks and print their figures."""
    from harness.bench import COVERAGE, MOBILE, SCALE, run_benchmarks
    from harness.bench.figure import Measurement
    from harness.bench.hardware_limits import hardware_limits
    from harness.bench.report import format_cells, format_limits, render
    from harness.tracking.environment import environment

    if arguments.plot is not None and arguments.name != SCALE:
        raise InputError(f"--plot draws what `framelight bench {SCALE}` measures; name that, or leave --plot out")
    if arguments.name == MOBILE:
        return _run_mobile(arguments)
    if arguments.name == COVERAGE:
        return _run_coverage(arguments)
    options = {"folder": arguments.store.root, "plot": arguments.plot} if arguments.name == SCALE else {}
    found = run_benchmarks(arguments.name, **options)
    machine = hardware_limits()
    logger.info(format_limits(machine))
    figures: list[Measurement] = []
    try:
        for one in found:
            figures.append(one)
            logger.info("  ".join(text for text in format_cells(one) if text != "-"))
    finally:  # what was measured before a failure or an interrupt took minutes
        if figures:
            print(render(figures, machine, environment()["processor"], arguments.format))
    if arguments.save:
        from harness.bench.save import EXPERIMENT, log_measurements

        step = log_measurements(figures, arguments.store)
        logger.info(f"saved as step {step} of this machine's curves, MLflow experiment {EXPERIMENT}")
    return 0 if all(one.reached for one in figures) else 1


def _run_mobile(arguments: argparse.Namespace) -> int:
    from harness.bench.mobile import MobileRow, measure_rows, render

    if arguments.save:
        raise InputError("--save keeps the curves of what must be fast; leave it out and keep the table: --format json")
    found: list[MobileRow] = []
    try:
        for row in measure_rows():
            found.append(row)
    finally:  # what was measured before a failure or an interrupt took minutes
        if found:
            print(render(found, arguments.format))
    return 0 if found else 1


def _run_coverage(arguments: argparse.Namespace) -> int:
    from harness.bench.coverage import Coverage, format_coverage, measure_coverage, render

    if arguments.save:
        raise InputError("--save keeps the curves of what must be fast; leave it out and keep the table: --format json")
    found: list[Coverage] = []
    try:
        for row in measure_coverage():
            logger.info(format_coverage(row))
            found.append(row)
    finally:  # what was simulated before an interrupt took minutes
        if found:
            print(render(found, arguments.format))
    return 0
