"""Crop the faces of many videos in parallel processes; an interrupted command is resumed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.inference.cropping.contact_sheet import SHEET, write_contact_sheet
from harness.inference.cropping.crop_video import CropTask, crop_video
from harness.inference.cropping.label_copies import LabelCopies
from harness.inference.cropping.options import NOTE, CropOptions, check_crop_options
from harness.inference.cropping.records import FAILED, NO_FACE, VideoRecord
from harness.inference.cropping.report import CropReport, video_names
from harness.inference.cropping.shared_progress import SharedProgress, VideoProgress
from harness.inference.cropping.video_list import VideoFile, list_videos, people_bases
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import remove_stale_temp_files
from harness.utils.locks import entry_lock
from harness.utils.progress import Progress

logger = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
"""Minimum time between two writes of the report while videos are cropped."""
SAVE_SHARE = 20
"""Minimum time between two writes, relative to the duration of a write. A long report is thus written less often."""
POLL_SECONDS = 0.2
"""Time between two updates of the progress bar."""
REASONS = {
    "changed": "has changed since it was cropped, and is cropped again",
    "incomplete": "is cropped again, as some of its crops are missing",
}


@dataclass(frozen=True)
class CropSummary:
    """Result of cropping.

    Attributes
    ----------
    options : CropOptions
    records : tuple of VideoRecord
        Results for the videos of this call.
    done : int
        Number of videos that were cropped in this call, not before.
    notes : tuple of str
        Messages about files that were not read.
    files : tuple of Path
        Folder of the crops, contact sheet, labels and report.
    earlier : int
        Number of videos with crops in this folder that this call does not name.
    """

    options: CropOptions
    records: tuple[VideoRecord, ...]
    done: int
    notes: tuple[str, ...]
    files: tuple[Path, ...]
    earlier: int = 0

    @property
    def failed(self) -> tuple[VideoRecord, ...]:
        """Videos that cannot be read."""
        return tuple(record for record in self.records if record.status == FAILED)

    @property
    def without_face(self) -> tuple[VideoRecord, ...]:
        """Videos in which no face was found."""
        return tuple(record for record in self.records if record.status == NO_FACE)


def crop_videos(texts: Sequence[str], options: CropOptions) -> CropSummary:
    """Crop the faces of videos; those that an earlier call has finished are not read again.

    Parameters
    ----------
    texts : sequence of str
        Videos, folders of videos, folders of the frames of a video, and patterns.
    options : CropOptions

    Returns
    -------
    CropSummary

    Raises
    ------
    InputError
        If an input or an option is not valid, `options.out` has other content or crops with other settings, or no
        video can be read.
    FramelightError
        If crops cannot be written, or no video has a face.
    """
    check_crop_options(options, texts)
    videos, notes = list_videos(texts)
    with entry_lock(options.out / NOTE, str(options.out)):
        report = CropReport(options)
        remove_stale_temp_files(options.folder, older_than_s=0)
        report.moved(videos)
        tasks = _tasks(videos, report, options)
        report.require_no_other_crops({task.name: task.base for task in tasks})
        labels = LabelCopies(options, report.labels)
        report.pending |= {task.name for task in tasks}
        try:
            for record in _run(tasks, report, options.jobs):
                if record.status == FAILED:
                    logger.warning(f"cannot be read: {record.error}")
            report.pending = {record.name for record in report.records.values() if record.status == FAILED}
        finally:
            report.write()
        records = tuple(report.records[video.source] for video in videos)
        if labels.files:
            report.labels = labels.write([record.rate for record in report.records.values() if record.people])
            report.write()
            notes += labels.notes
        people = [
            person
            for record in sorted(report.records.values(), key=lambda record: record.name)
            for person in record.people
        ]
        if people and (tasks or not (options.out / SHEET).exists()):
            shown = write_contact_sheet(options.folder, people, options.out)
            if shown < len(people):
                notes.append(f"{SHEET} shows {shown} of {len(people):,} people")
    if not any(record.people for record in records):
        raise _nothing_cropped_error(records, options)
    files = (options.folder, options.out / SHEET, *labels.files, options.out / NOTE)
    earlier = sum(bool(record.people) for record in report.records.values() if record not in records)
    return CropSummary(options, records, len(tasks), tuple(notes), files, earlier)


def _tasks(videos: Sequence[VideoFile], report: CropReport, options: CropOptions) -> list[CropTask]:
    """Return a task for each video that is not complete, the largest first."""
    names = video_names(videos, report.records.values())
    bases = people_bases({**{record.source: record.name for record in report.records.values()}, **names})
    tasks = []
    for video in sorted(videos, key=lambda video: video.size, reverse=True):
        if (state := report.state(video)) == "complete":
            continue
        if state in REASONS:
            logger.info(f"{video.text} {REASONS[state]}")
        record, name = report.records.get(video.source), names[video.text]
        previous = tuple(person.name for person in record.people) if record else ()
        tasks.append(CropTask(video, name, bases[video.text], previous, options, name in report.pending))
    return tasks


def _run(tasks: Sequence[CropTask], report: CropReport, jobs: int) -> Iterator[VideoRecord]:
    """Yield the record of each task once it is done, after it was added to the report."""
    due = 0.0
    if tasks:
        report.write()
    with SharedProgress([task.video.size for task in tasks]) as shared, Progress("videos", "MB") as progress:
        workers = min(jobs, len(tasks))
        for record in (
            _in_processes(tasks, workers, shared, progress) if workers > 1 else _here(tasks, shared, progress)
        ):
            report.add(record)
            now = time.monotonic()
            if now >= due:
                report.write()
                due = now + max(SAVE_SECONDS, SAVE_SHARE * (time.monotonic() - now))
            yield record


def _here(tasks: Sequence[CropTask], shared: SharedProgress, progress: Progress) -> Iterator[VideoRecord]:
    for index, task in enumerate(tasks):
        counter = shared.counter(index)

        def count(done: int, expected: int | None, counter: VideoProgress = counter) -> None:
            counter(done, expected)
            shared.show(progress)

        yield crop_video(task, count)
        counter.finish()


def _in_processes(
    tasks: Sequence[CropTask], workers: int, shared: SharedProgress, progress: Progress
) -> Iterator[VideoRecord]:
    from harness.utils.worker_pool import WorkerPool

    try:
        with WorkerPool(workers) as pool, ExitStack() as stack:
            stack.callback(shared.stop)
            running: set[Future[VideoRecord]] = {
                pool.submit(_crop_and_count, task, shared.counter(index)) for index, task in enumerate(tasks)
            }
            while running:
                done, running = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                shared.show(progress)
                yield from (future.result() for future in done)
    except BrokenProcessPool as error:
        raise FramelightError(
            "a process that was cropping a video ended without an error, perhaps as memory ran out; run the same "
            "command again with a smaller --jobs"
        ) from error


def _crop_and_count(task: CropTask, counter: VideoProgress) -> VideoRecord:
    record = crop_video(task, counter)
    counter.finish()
    return record


def _nothing_cropped_error(records: Sequence[VideoRecord], options: CropOptions) -> FramelightError:
    """Create the error for a call without any crops."""
    failed = [record for record in records if record.status == FAILED]
    if len(failed) == len(records):
        if len(failed) == 1:
            return InputError(failed[0].error)
        return InputError(f"none of the {len(failed):,} videos can be read; the first: {failed[0].error}")
    smallest = "a smaller --smallest" if options.smallest else "--smallest PX for smaller faces"
    unread = f" ({len(failed):,} of them cannot be read)" if failed else ""
    what = "this video" if len(records) == 1 else f"any of {len(records):,} videos{unread}"
    return FramelightError(f"no face was found in {what}; try another --detector, or {smallest}")
