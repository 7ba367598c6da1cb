"""`framelight submit`: a run's predictions on the videos of a split, as the challenge's files, read back and scored."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.affwild2 import AffWild2
from harness.data.affwild2_paths import source_video
from harness.data.fingerprint import DatasetFingerprint
from harness.data.layouts import SPLITS
from harness.inference.submission import files
from harness.inference.submission.file_format import NOTE
from harness.inference.submission.frame_counts import LineCount, count_lines, videos_by_source
from harness.inference.submission.frame_sources import FrameCountSources, image_list, last_crops, line_sources
from harness.inference.submission.predictions import decode_predictions, features_for, outputs_at
from harness.inference.submission.round_trip import RoundTrip, StoredResult, require_equal, round_trip
from harness.inference.submission.rows import Rows, all_frames, read_image_list
from harness.jobs.predictions import Predictions
from harness.leaderboard.runs import FinishedRun
from harness.metrics.tasks import Task, get_task
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir, remove_stale_temp_files, write_json

NOTE_FORMAT = 1


@dataclass(frozen=True)
class Submission:
    """What was written. note: what `submission.json` says; round_trip: None on a test split."""

    folder: Path
    note: dict[str, Any]
    round_trip: RoundTrip | None


def submit(
    chosen: FinishedRun, dataset: AffWild2, split: str, form: str, places: FrameCountSources, out: Path
) -> Submission:
    """Predict, write aside, read back, score where there are labels; the folder appears whole or not at all.

    form: `challenge` or `frames`. InputError for what the data set does not have, an `out` that is not empty, and
    counts of frames that do not fit the crops.
    """
    from harness.jobs.models import load_model

    task = get_task(chosen.configuration.task)
    check_submission_dir(out, dataset.root)
    remove_stale_temp_files(out.parent)
    shape = files.shape_of(task.name, form)
    members = dataset.sequence_names(task.name, split)
    listed = image_list(dataset, task.name, split, shape)
    found = _line_counts(dataset, task, split, members, places) if listed is None else {}
    rows = _rows(task, found, listed, places)
    _require_known_videos(dataset, rows, listed)
    fingerprint = DatasetFingerprint(dataset, chosen.store.digests)
    entry = features_for(chosen, dataset, fingerprint.images)
    predictions = load_model(chosen.folder, entry, chosen.configuration).predict(rows.videos)
    meant = decode_predictions(task, outputs_at(rows, predictions, chosen.filter), chosen.filter)
    empty = tuple(name for name, crops in zip(predictions.sequences, predictions.lengths) if not crops)
    with atomic_write_dir(out) as aside:
        written = files.write(aside, task, shape, rows, meant)
        read_back = files.read(aside, task, shape, rows)
        require_equal(task, read_back, meant)
        scored = _round_trip(chosen, fingerprint, split, predictions, rows, read_back, meant)
        note = {
            **_run_fields(chosen),
            **_data_fields(fingerprint, split, form, rows, listed),
            "files": len(written),
            "without_crop": list(empty),
            **_count_fields(found),
            "round_trip": None if scored is None else dataclasses.asdict(scored),
        }
        write_json(aside / NOTE, note)
    return Submission(out, note, scored)


def check_submission_dir(out: Path, data: Path) -> None:
    """InputError for a file, a folder that holds something, or one within the data, of which it would become part."""
    if out.resolve().is_relative_to(data.resolve()):
        raise InputError(
            f"--out {out} is within the data folder {data}; a submission is no part of the data: "
            "name a folder elsewhere"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} is there already; name a folder that is not, or an empty one")


def _line_counts(
    dataset: AffWild2, task: Task, split: str, members: tuple[str, ...], places: FrameCountSources
) -> dict[str, LineCount]:
    sources = line_sources(dataset, task.name, split, places)
    if sources.given and not any(name in sources.given or source_video(name) in sources.given for name in members):
        raise InputError(
            f"{places.frames}: names no video of the {split} split, such as {members[0]}; "
            f"it names {next(iter(sources.given))}"
        )
    return count_lines(members, last_crops(dataset, members), sources)


def _rows(task: Task, found: dict[str, LineCount], listed: Path | None, places: FrameCountSources) -> Rows:
    if listed is None:
        return all_frames(task.name, {name: length.lines for name, length in found.items()})
    if places != FrameCountSources():
        raise InputError(f"{listed} names every row, so that no frame is counted; leave out --frames and --videos")
    return read_image_list(listed)


def _require_known_videos(dataset: AffWild2, rows: Rows, listed: Path | None) -> None:
    strangers = [name for name in rows.videos if name not in dataset.sequences]
    if strangers:
        raise InputError(
            f"{listed} names video '{strangers[0]}', which has no folder of crops and is in no list of "
            f"videos of {dataset.root}"
        )


def _round_trip(  # noqa: PLR0913 - what is compared with what
    chosen: FinishedRun,
    fingerprint: DatasetFingerprint,
    split: str,
    predictions: Predictions,
    rows: Rows,
    read_back: files.Decoded,
    meant: files.Decoded,
) -> RoundTrip | None:
    if split not in SPLITS:
        return None
    record, task = chosen.record, get_task(chosen.configuration.task)
    own = (
        StoredResult(record, chosen.load_predictions())
        if fingerprint.matches(record) and split == record.split
        else None
    )
    return round_trip(
        task,
        fingerprint.dataset.labels(task.name, split),
        predictions,
        rows,
        read_back,
        meant,
        chosen.configuration.missing,
        own,
    )


def _run_fields(chosen: FinishedRun) -> dict[str, Any]:
    record, applied = chosen.record, chosen.filter
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
        "kernel": applied.kernel,
        "radius": applied.radius,
        "gaps": applied.gaps,
        "thresholds": None if applied.thresholds is None else list(applied.thresholds),
        "protocol": record.protocol,
        "optimistic": chosen.optimistic,
        "flags": list(record.flags),
        "run_dataset": record.dataset,
        "run_data_digest": record.data_digest,
    }


def _data_fields(
    fingerprint: DatasetFingerprint, split: str, form: str, rows: Rows, listed: Path | None
) -> dict[str, Any]:
    return {
        "format": NOTE_FORMAT,
        "dataset": fingerprint.dataset.name,
        "images_digest": fingerprint.images,
        "split": split,
        "files_as": form,
        "list": None if listed is None else listed.name,
        "rows": len(rows),
    }


def _count_fields(found: dict[str, LineCount]) -> dict[str, Any]:
    return {
        "frame_counts": videos_by_source(found),
        "lines": {name: length.lines for name, length in found.items()},
        "past_the_end": {name: length.extra_crops for name, length in found.items() if length.extra_crops},
    }
