"""`framelight bench`."""

from __future__ import annotations

import argparse
import logging
from importlib import import_module
from typing import Any

from harness.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> int:
    """Run benchmarks and print their results."""
    from harness.bench import SCALE, TABLES, run_benchmarks
    from harness.bench.figure import Measurement
    from harness.bench.hardware_limits import hardware_limits
    from harness.bench.report import format_cells, format_limits, render
    from harness.tracking.environment import environment

    if arguments.plot is not None and arguments.name != SCALE:
        raise InputError(f"--plot needs the benchmark {SCALE}; run framelight bench {SCALE}, or leave out --plot")
    if arguments.name in TABLES:
        return _run_table(arguments)
    options = {"folder": arguments.store.root, "plot": arguments.plot} if arguments.name == SCALE else {}
    measurements = run_benchmarks(arguments.name, **options)
    machine = hardware_limits()
    logger.info(format_limits(machine))
    figures: list[Measurement] = []
    try:
        for measurement in measurements:
            figures.append(measurement)
            logger.info("  ".join(text for text in format_cells(measurement) if text != "-"))
    finally:  # do not lose minutes of measurements after a failure or an interrupt
        if figures:
            print(render(figures, machine, environment()["processor"], arguments.format))
    if arguments.save:
        from harness.bench.save import EXPERIMENT, log_measurements

        step = log_measurements(figures, arguments.store)
        logger.info(f"logged to MLflow as step {step} of this machine's run in the experiment {EXPERIMENT}")
    return 0 if all(measurement.reached for measurement in figures) else 1


def _run_table(arguments: argparse.Namespace) -> int:
    """Run a benchmark that has its own table."""
    if arguments.save:
        raise InputError(
            f"--save does not support the benchmark {arguments.name}; leave it out and save the output of --format json"
        )
    benchmark = import_module(f"harness.bench.{arguments.name}")
    rows: list[Any] = []
    try:
        for row in benchmark.measure_rows():
            rows.append(row)
    finally:  # do not lose minutes of measurements after a failure or an interrupt
        if rows:
            print(benchmark.render(rows, arguments.format))
    return 0 if rows else 1
