"""`framelight submit`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backbones.errors import join_first
from harness.cli.output import print_lines
from harness.utils.text import plural

if TYPE_CHECKING:
    from harness.inference.submission.round_trip import RoundTrip
    from harness.inference.submission.write import Submission

MAX_NAMES = 3
"""Maximum number of names in a line; the other names are only counted."""
SOURCES = {
    "frames file": "the frames file",
    "list of frames": "the list of frames",
    "video file": "the video file (number of frames plus one)",
    "annotation": "the annotation",
    "last crop": "the last crop",
}


def main(arguments: argparse.Namespace) -> None:
    """Write submission files and print a summary."""
    from harness.inference.api import submit

    submission = submit(
        arguments.run,
        arguments.data,
        arguments.out,
        split=arguments.split,
        format=arguments.format,
        frames=arguments.frames,
        videos=arguments.videos,
        store=arguments.store,
        seed=arguments.seed,
    )
    print_lines(_summary_lines(submission))


def _summary_lines(submission: Submission) -> list[str]:
    note = submission.note
    window = f"{note['kernel']} of radius {note['radius']}" if note["radius"] else "no smoothing"
    mark = ", optimistic: selected on the labels that it is scored on" if note["optimistic"] else ""
    lines = [
        f"{submission.folder}: {plural(note['files'], 'file')}, {note['rows']:,} predictions of task {note['task']}, "
        f"{note['split']} split of {note['dataset']}",
        f"run {note['job_id']}: {note['backbone']}, {note['features']}, {note['head']}, {window}, "
        f"{note['protocol']}{mark}",
    ]
    if note["list"]:
        lines.append(f"rows: the images in {note['list']}, in that order")
    if note["frame_counts"]:
        counted = ", ".join(
            f"{plural(videos, 'video')} from {SOURCES[source]}" for source, videos in note["frame_counts"].items()
        )
        lines.append(f"frame counts: {counted}")
    if note["past_the_end"]:
        lines.append(f"crops after the last line, used only for smoothing: {_shorten(note['past_the_end'])}")
    if note["without_crop"]:
        lines.append(f"videos without crops, which get the mean output of all crops: {_shorten(note['without_crop'])}")
    return [*lines, _round_trip_line(submission.round_trip)]


def _round_trip_line(trip: RoundTrip | None) -> str:
    if trip is None:
        return "round trip: the written files equal the predictions in memory"
    recorded = "the run was scored on another split or dataset"
    if trip.record is not None:
        recorded = f"{trip.record:z.6f} in the record of the run"
        if trip.moved:
            recorded += f" (outputs differ by up to {trip.moved:.1g} due to rounding)"
    return (
        f"round trip: {trip.metric} {trip.files:z.6f} from the files, {trip.memory:z.6f} in memory, {recorded}; "
        f"{trip.frames:,} frames"
    )


def _shorten(names: Iterable[str]) -> str:
    names = list(names)
    return join_first(names, MAX_NAMES) + " (all in submission.json)" * (len(names) > MAX_NAMES)
