"""Short text about cropped videos: what was cropped, what was lost, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.inference.cropping.crop import CropSummary
from harness.inference.cropping.people import MIN_SHARE
from harness.inference.cropping.records import VideoRecord
from harness.utils.text import format_percent, plural

MAX_NAMED = 5
"""Maximum number of videos that a line names."""


def summary_lines(summary: CropSummary) -> Iterator[str]:
    """Yield the lines of the text; a video is called by the name of its crops.

    Parameters
    ----------
    summary : CropSummary
    """
    records = summary.records
    read = [record for record in records if record not in summary.failed]
    frames, with_face = sum(record.frames for record in read), sum(record.with_face for record in read)
    people = sum(len(record.people) for record in records)
    before = len(records) - summary.done
    yield (
        f"{plural(len(records), 'video')}: {plural(sum(record.crops for record in records), 'crop')} of "
        f"{_people(people)}" + (f"; {before:,} cropped before" if before else "")
    )
    if summary.earlier:
        yield f"also in this folder: the crops of {plural(summary.earlier, 'video')} of earlier calls"
    for record in [record for record in records if len(record.people) > 1][:MAX_NAMED]:
        names = ", ".join(person.name for person in record.people[:MAX_NAMED])
        more = f", ... {record.people[-1].name}" if len(record.people) > MAX_NAMED else ""
        yield f"{record.name}: {_people(len(record.people))}, from left to right: {names}{more}"
    if renamed := [record for record in records if record.name != _file_name(record)]:
        named = _named(renamed, lambda record: f"{Path(record.source).name} is {record.name}")
        yield f"named apart, because names repeat: {named}"
    if joined := [record for record in records if record.joined]:
        yield (
            "lost for a while, and then taken for the same person: "
            f"{_named(joined, lambda record: f'{record.name} ({record.joined:,})')}"
        )
    if frames > with_face:
        lost = sorted(
            (record for record in read if record.frames > record.with_face), key=lambda r: r.with_face - r.frames
        )
        yield (
            f"without a face: {frames - with_face:,} of {plural(frames, 'frame')} "
            f"({format_percent(1 - with_face / frames)}): "
            f"{_named(lost, lambda record: f'{record.name} ({record.frames - record.with_face:,})')}"
        )
    if brief := sum(record.brief_faces for record in read):
        yield (
            f"not cropped: {plural(brief, 'face')} in fewer than three frames, or in less than "
            f"{format_percent(MIN_SHARE)} as many as the most frequent person of the video"
        )
    if summary.without_face:
        yield f"no face in {plural(len(summary.without_face), 'video')}: {_named(summary.without_face)}"
    if summary.failed:
        yield f"cannot be read: {plural(len(summary.failed), 'video')}: {_named(summary.failed)}"
    for record in [record for record in read if record.notes][:MAX_NAMED]:
        yield f"{record.name}: {'; '.join(record.notes)}"


def _file_name(record: VideoRecord) -> str:
    source = Path(record.source)
    return source.name if source.is_dir() else source.stem


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _named(records: Iterable[VideoRecord], describe: Callable[[VideoRecord], str] = lambda record: record.name) -> str:
    texts = [describe(record) for record in records]
    more = f" and {len(texts) - MAX_NAMED:,} more" if len(texts) > MAX_NAMED else ""
    return ", ".join(texts[:MAX_NAMED]) + more
