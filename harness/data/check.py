"""Check of a data folder (`framelight data check`): its contents and all problems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.check_report import render_report, render_stills
from harness.data.check_stills import StillsReport, check_stills
from harness.data.dataset_report import DatasetReport, TestSplit
from harness.data.image_checks import check_images
from harness.data.image_table import ImageTable
from harness.data.image_table_stills import TableStills
from harness.data.label_counts import LabelCounts, count_labels
from harness.data.layouts import SPLITS, VideoLayout
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.registry import detect_stills_layout, is_dataset, open_dataset, open_stills
from harness.metrics.tasks import TASKS
from harness.utils.errors import InputError


def check_dataset(root: Path, seed: int = 0, images: bool = True) -> DatasetReport | StillsReport:
    """Check all annotations and image files of a data folder.

    Parameters
    ----------
    root : Path
    seed : int, default 0
        Seed of the splits, for folders that define none.
    images : bool, default True
        Whether to check every image file.

    Returns
    -------
    DatasetReport or StillsReport
        A StillsReport if only backbones can be trained on the folder.

    Raises
    ------
    InputError
        If the folder cannot be opened; see `open_dataset`.
    """
    try:
        Path(root).stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # `open_dataset` raises the error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{root} cannot be opened: {reason}; give the folder of a dataset") from error
    if not is_dataset(root) and detect_stills_layout(root) is not None:
        return check_stills(open_stills(root, seed), images)
    dataset = open_dataset(root, seed)
    assert isinstance(dataset, VideoLayout)
    if isinstance(dataset, ImageTable):
        dataset.images.may_lack_all = True
        if not dataset.has_labels:
            return check_stills(TableStills(dataset), images)
    problems: list[Problem] = []
    crops, files, turned = _scan_crops(dataset, problems, images)
    counts: list[LabelCounts] = []
    for task in dataset.tasks():
        problems.extend(_missing_splits(dataset, task))
        for split in dataset.splits(task):
            labels = dataset.labels(task, split, problems)
            problems.extend(labels.warnings)
            split_counts = tuple(count_labels(task, split, labels, crops))
            problems.extend(_find_split_problems(dataset, split_counts))
            counts.extend(split_counts)
    tests = tuple(_summarize_test_splits(dataset, crops))
    if not counts and (dataset.tasks() or not tests):
        problems.append(
            Problem(
                ERROR, "empty split", "no row is annotated; add annotations in the layout named above", dataset.root
            )
        )
    if not counts and tests and not any(test.cropped for test in tests):
        problems.append(Problem(ERROR, "no crop", "no video of the test lists has a readable crop", dataset.root))
    problems.extend(dataset.find_problems(crops))
    ordered = sorted(dict.fromkeys(problems), key=lambda p: (p.severity != ERROR, p.kind, p.file, p.line or 0))
    return DatasetReport(
        dataset.root,
        dataset.name,
        dataset.layout,
        dataset.noun,
        dataset.temporal,
        dataset.summary(),
        len(crops),
        files,
        sum(map(len, crops.values())),
        tuple(counts),
        tests,
        tuple(ordered),
        turned if dataset.upright else 0,
    )


def render(report: DatasetReport | StillsReport, limit: int | None = None) -> str:
    """Format a report for a terminal of 100 columns.

    Parameters
    ----------
    report : DatasetReport or StillsReport
    limit : int, optional
        Maximum number of problems of one kind to write out.
    """
    return render_stills(report, limit) if isinstance(report, StillsReport) else render_report(report, limit)


def _scan_crops(dataset: VideoLayout, problems: list[Problem], images: bool) -> tuple[dict[str, np.ndarray], int, int]:
    """Return the frames with a readable image by sequence, the number of image files and the number of turned images.

    A sequence that cannot be read has no frames.
    """
    crops, files, turned = {}, 0, 0
    for name in dataset.sequences:
        try:
            sequence = dataset.sequences[name]
        except InputError:  # reported by `find_problems`
            crops[name] = np.zeros(0, np.int32)
            continue
        files += len(sequence.images)
        readable = np.ones(len(sequence.images), bool)
        if images:
            checks = check_images(sequence.images)
            turned += int(checks.turned.sum())
            readable[list(checks.faults)] = False
            for index, fault in checks.faults.items():
                message = f"{fault}; it counts as a missing crop"
                problems.append(Problem(WARNING, "image", message, sequence.images[index]))
        crops[name] = sequence.frames[readable]
    return crops, files, turned


def _missing_splits(dataset: VideoLayout, task: str) -> Iterator[Problem]:
    for split in SPLITS:
        if split not in dataset.splits(task):
            message = f"task {task} has no {split} split; runs of this task need both"
            yield Problem(WARNING, "missing split", message, dataset.root)


def _find_split_problems(dataset: VideoLayout, split_counts: tuple[LabelCounts, ...]) -> Iterator[Problem]:
    """Yield problems of a whole split: no valid label, no crop, or a class that never or always occurs."""
    for counts in split_counts:
        where = f"{counts.split} split of task {counts.task}"
        if not counts.valid:
            reason = "no annotated row" if not counts.rows else f"none of {counts.rows:,} rows is valid"
            message = f"{where} is empty: {reason} for {counts.output}; runs of this task will fail"
            yield Problem(ERROR, "empty split", message, dataset.root)
        elif counts.output != "va":
            yield from _find_absent_classes(dataset.root, where, counts.output, counts.spread, counts.valid)
    if any(counts.valid for counts in split_counts) and not any(counts.cropped for counts in split_counts):
        message = (
            f"no labeled row of the {split_counts[0].split} split of task {split_counts[0].task} has a readable crop"
        )
        yield Problem(ERROR, "no crop", f"{message}; runs of this task will fail", dataset.root)


def _find_absent_classes(
    root: Path, where: str, output: str, spread: Mapping[str, int], valid: int
) -> Iterator[Problem]:
    absent = [name for name, number in spread.items() if not number]
    if output == "expr" and len(absent) == len(spread) - 1:
        only = next(name for name, number in spread.items() if number)
        yield Problem(WARNING, "one class", f"{where} has only one class, {only}; no model can be trained on it", root)
    elif absent:
        loss = (
            f"models cannot learn {'it' if len(absent) == 1 else 'them'}"
            if where.startswith("train")
            else f"{'its' if len(absent) == 1 else 'their'} F1 is 0"
        )
        yield Problem(WARNING, "absent class", f"{where} has no {', '.join(absent)}; {loss}", root)
    always = [name for name, number in spread.items() if output == "au" and number == valid]
    if always:
        yield Problem(WARNING, "absent class", f"{where} has {', '.join(always)} in every valid row", root)


def _summarize_test_splits(dataset: VideoLayout, crops: Mapping[str, np.ndarray]) -> Iterator[TestSplit]:
    for task in TASKS:
        names = dataset.test_sequence_names(task)
        if names:
            yield TestSplit(task, len(names), sum(len(crops[name]) > 0 for name in names))
