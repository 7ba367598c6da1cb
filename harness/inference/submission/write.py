"""Write a run's predictions for a split as the files of a challenge, read them back and score them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.affwild2 import AffWild2
from harness.data.fingerprint import DatasetFingerprint
from harness.data.layouts import SPLITS
from harness.inference.submission import files
from harness.inference.submission.file_format import NOTE
from harness.inference.submission.frame_counts import LineCount, count_lines, videos_by_source
from harness.inference.submission.frame_sources import (
    FrameCountSources,
    image_list,
    last_crops,
    line_sources,
    read_dataset_list,
)
from harness.inference.submission.predictions import decode_predictions, features_for, outputs_at
from harness.inference.submission.round_trip import RoundTrip, StoredResult, require_equal, round_trip
from harness.inference.submission.rows import Rows, all_frames, require_utf8_names
from harness.jobs.predictions import Predictions
from harness.leaderboard.finished_run import FinishedRun
from harness.metrics.tasks import Task, get_task
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir, remove_stale_temp_files
from harness.utils.finished_output import holds_request, request_hash, write_note
from harness.utils.names import name_bytes

logger = logging.getLogger(__name__)

NOTE_FORMAT = 1


@dataclass(frozen=True)
class Submission:
    """A written submission.

    Attributes
    ----------
    folder : Path
    note : dict
        Content of `submission.json`.
    round_trip : RoundTrip or None
        Result of scoring the files; None on a test split, which has no labels.
    """

    folder: Path
    note: dict[str, Any]
    round_trip: RoundTrip | None


def submit(
    run: FinishedRun, dataset: AffWild2, split: str, form: str, count_sources: FrameCountSources, out: Path
) -> Submission:
    """Predict a split, write the files, read them back and score them if there are labels; writing is atomic.

    Parameters
    ----------
    run : FinishedRun
    dataset : AffWild2
    split : str
    form : {"challenge", "frames"}
        Format of the files.
    count_sources : FrameCountSources
        Sources of frame counts that the user gave.
    out : Path
        A new or empty folder, or one that already contains this submission.

    Raises
    ------
    InputError
        If the dataset has no such split or list, if a list or the frame counts do not match the videos and crops, if
        the weights of the backbone have changed, or if no labeled row can be scored. Also if `out` is inside the
        dataset or has other content.
    FramelightError
        If a file of the model is damaged, if the files differ from the predictions, or if their score differs from the
        run's record.
    """
    from harness.jobs.models import load_model

    task = get_task(run.configuration.task)
    check_submission_dir(out, dataset.root)
    remove_stale_temp_files(out.parent)
    for notice in dataset.notices():
        logger.warning(notice)
    shape = files.shape_of(task.name, form)
    videos = dataset.sequence_names(task.name, split)
    list_path = image_list(dataset, task.name, split, shape)
    counts = _line_counts(dataset, task, split, videos, count_sources) if list_path is None else {}
    rows = _rows(dataset, task, counts, list_path, count_sources)
    _require_known_videos(dataset, rows, list_path)
    if shape != "videos":
        require_utf8_names(rows)
    fingerprint = DatasetFingerprint(dataset, run.store.digests)
    fields = {**_run_fields(run), **_data_fields(fingerprint, split, form, rows, list_path), **_count_fields(counts)}
    labels = fingerprint.labels(task.name) if split in SPLITS else ""
    request = request_hash("submit", **fields, names=_names_hash(rows), labels=labels)
    finished = _read_finished(out, request)
    if finished is not None:
        return finished
    entry = features_for(run, dataset, fingerprint.images)
    predictions = load_model(run.folder, entry, run.configuration).predict(rows.videos)
    decoded = decode_predictions(task, outputs_at(rows, predictions, run.filter), run.filter)
    empty = tuple(name for name, crops in zip(predictions.sequences, predictions.lengths) if not crops)
    with atomic_write_dir(out) as temp_dir:
        written = files.write(temp_dir, task, shape, rows, decoded)
        read_back = files.read(temp_dir, task, shape, rows)
        require_equal(task, read_back, decoded)
        scored = _round_trip(run, fingerprint, split, predictions, rows, read_back, decoded)
        note = {
            **fields,
            "files": len(written),
            "without_crop": list(empty),
            "round_trip": None if scored is None else dataclasses.asdict(scored),
        }
        write_note(temp_dir, NOTE, note, request)
    return Submission(out, note, scored)


def check_submission_dir(out: Path, data: Path) -> None:
    """Raise InputError if `out` is a file, a folder with content but no `submission.json`, or inside the dataset."""
    if out.resolve().is_relative_to(data.resolve()):
        raise InputError(f"--out {out} is inside the data folder {data}; choose a folder outside of the dataset")
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (out / NOTE).is_file():
        raise _exists_error(out)


def _exists_error(out: Path) -> InputError:
    return InputError(f"--out {out} exists already; choose a new or an empty folder")


def _read_finished(out: Path, request: str) -> Submission | None:
    """Read the submission that an earlier call wrote for the same request.

    Return None if `out` is missing or empty; raise InputError if it has other content.
    """
    if not out.is_dir() or not any(out.iterdir()):
        return None
    if not holds_request(out, NOTE, request):
        raise _exists_error(out)
    logger.info(f"{out} contains this submission already")
    note = json.loads((out / NOTE).read_text(encoding="utf-8"))
    return Submission(out, note, None if note["round_trip"] is None else RoundTrip(**note["round_trip"]))


def _names_hash(rows: Rows) -> str:
    return hashlib.sha256(name_bytes("\n".join(rows.names()))).hexdigest()


def _line_counts(
    dataset: AffWild2, task: Task, split: str, videos: tuple[str, ...], count_sources: FrameCountSources
) -> dict[str, LineCount]:
    sources = line_sources(dataset, task.name, split, count_sources)
    if sources.given and all(sources.given_lines(name) is None for name in videos):
        raise InputError(
            f"{count_sources.frames}: contains no video of the {split} split, such as {videos[0]}, "
            f"but {next(iter(sources.given))}; pass the frame counts of this split"
        )
    return count_lines(videos, last_crops(dataset, videos), sources)


def _rows(
    dataset: AffWild2,
    task: Task,
    counts: dict[str, LineCount],
    list_path: Path | None,
    count_sources: FrameCountSources,
) -> Rows:
    if list_path is None:
        return all_frames(task.name, {name: count.lines for name, count in counts.items()})
    if count_sources != FrameCountSources():
        raise InputError(
            f"{list_path} lists every row, so frame counts have no effect; leave out --frames and --videos"
        )
    return read_dataset_list(dataset, list_path)


def _require_known_videos(dataset: AffWild2, rows: Rows, list_path: Path | None) -> None:
    unknown = [name for name in rows.videos if name not in dataset.sequences]
    if unknown:
        raise InputError(
            f"{list_path} contains video '{unknown[0]}', which has no folder of crops and is in no list of "
            f"videos of {dataset.root}; add its crops or correct the list"
        )


def _round_trip(  # noqa: PLR0913 - each is passed on to `round_trip`
    run: FinishedRun,
    fingerprint: DatasetFingerprint,
    split: str,
    predictions: Predictions,
    rows: Rows,
    read_back: files.Decoded,
    decoded: files.Decoded,
) -> RoundTrip | None:
    if split not in SPLITS:
        return None
    record, task = run.record, get_task(run.configuration.task)
    stored = (
        StoredResult(record, run.load_predictions()) if fingerprint.matches(record) and split == record.split else None
    )
    return round_trip(
        task,
        fingerprint.dataset.labels(task.name, split),
        predictions,
        rows,
        read_back,
        decoded,
        run.configuration.missing,
        stored,
    )


def _run_fields(run: FinishedRun) -> dict[str, Any]:
    record, params = run.record, run.filter
    return {
        "run_id": record.group_id,
        "job_id": record.job_id,
        "seed": record.seed,
        "recipe": record.recipe,
        "task": record.task,
        "backbone": record.backbone,
        "backbone_weights": record.backbone_weights,
        "weights_hash": record.weights_hash,
        "features": record.features,
        "head": record.head,
        "epoch": record.epoch,
        "kernel": params.kernel,
        "radius": params.radius,
        "gaps": params.gaps,
        "thresholds": None if params.thresholds is None else list(params.thresholds),
        "protocol": record.protocol,
        "optimistic": run.optimistic,
        "flags": list(record.flags),
        "run_dataset": record.dataset,
        "run_data_digest": record.data_digest,
    }


def _data_fields(
    fingerprint: DatasetFingerprint, split: str, form: str, rows: Rows, list_path: Path | None
) -> dict[str, Any]:
    return {
        "format": NOTE_FORMAT,
        "dataset": fingerprint.dataset.name,
        "images_digest": fingerprint.images,
        "split": split,
        "files_as": form,
        "list": None if list_path is None else list_path.name,
        "rows": len(rows),
    }


def _count_fields(counts: dict[str, LineCount]) -> dict[str, Any]:
    return {
        "frame_counts": videos_by_source(counts),
        "lines": {name: count.lines for name, count in counts.items()},
        "past_the_end": {name: count.extra_crops for name, count in counts.items() if count.extra_crops},
    }
