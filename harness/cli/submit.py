"""`framelight submit`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.utils.text import plural

if TYPE_CHECKING:
    from harness.inference.submission.round_trip import RoundTrip
    from harness.inference.submission.write import Submission

MAX_NAMES = 3
"""Videos that a line names before it counts the rest."""
SOURCES = {
    "frames file": "the frames file",
    "list of frames": "the list of frames",
    "video file": "the video file (its frames and one more)",
    "annotation": "the annotation",
    "last crop": "the last crop",
}


def main(arguments: argparse.Namespace) -> None:
    """Write submission files and print their scores."""
    from harness.inference.api import submit

    done = submit(
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
    print("\n".join(_summary_lines(done)))


def _summary_lines(done: Submission) -> list[str]:
    note = done.note
    window = f"{note['kernel']} of radius {note['radius']}" if note["radius"] else "no smoothing"
    mark = ", optimistic: it was chosen on the labels it was scored on" if note["optimistic"] else ""
    said = [
        f"{done.folder}: {plural(note['files'], 'file')}, {note['rows']:,} predictions of task {note['task']}, "
        f"{note['split']} split of {note['dataset']}",
        f"run {note['job_id']}: {note['backbone']}, {note['features']}, {note['head']}, {window}, "
        f"{note['protocol']}{mark}",
    ]
    if note["list"]:
        said.append(f"rows: the images of {note['list']}, in its order")
    if note["frame_counts"]:
        counted = ", ".join(
            f"{plural(videos, 'video')} by {SOURCES[source]}" for source, videos in note["frame_counts"].items()
        )
        said.append(f"lines: {counted}")
    if note["past_the_end"]:
        said.append(f"a crop past the last line, which takes part in smoothing alone: {_shorten(note['past_the_end'])}")
    if note["without_crop"]:
        said.append(f"no crop, so the mean output of all crops: {_shorten(note['without_crop'])}")
    return [*said, _round_trip_line(done.round_trip)]


def _round_trip_line(trip: RoundTrip | None) -> str:
    if trip is None:
        return "round trip: the files read back are the predictions in memory"
    known = "the run itself was scored on another split or data"
    if trip.record is not None:
        known = f"{trip.record:.6f} in the run's record"
        if trip.moved:
            known += f" (outputs here differ by up to {trip.moved:.1g}, by rounding)"
    return (
        f"round trip: {trip.metric} {trip.files:.6f} from the files, {trip.memory:.6f} in memory, {known}; "
        f"{trip.frames:,} frames"
    )


def _shorten(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMES:,} more (all in submission.json)" if len(listed) > MAX_NAMES else ""
    return ", ".join(listed[:MAX_NAMES]) + more
