"""Crop the faces of one video: find and track them, write the crops of each person, and move the folders in place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from backbones.temp_names import SUFFIX, create_temp
from harness.inference.cropping.options import QUALITY, CropOptions
from harness.inference.cropping.people import Person, TrackCollector, people_names
from harness.inference.cropping.records import CROPPED, NO_FACE, PersonRecord, VideoRecord
from harness.inference.cropping.video_list import VideoFile
from harness.inference.face_stage import DetectAndTrack, FrameFaces
from harness.inference.pipeline import DECODED
from harness.inference.prefetch import Prefetcher
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import explain_write_errors
from harness.video.frames import DEFAULT_RATE, Source
from harness.video.source import open_frames, open_source

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class CropTask:
    """Task of a worker process: one video to crop.

    Attributes
    ----------
    video : VideoFile
    name : str
        Name of the crops if there is one person.
    base : str
        Start of the names if there are several people, see `people_bases`.
    previous : tuple of str
        Names of the folders of an earlier call, which are removed.
    options : CropOptions
    pending : bool
        Whether an interrupted call may have left folders of this video, which are replaced.
    """

    video: VideoFile
    name: str
    base: str
    previous: tuple[str, ...]
    options: CropOptions
    pending: bool = False


def crop_video(task: CropTask, progress: Progress = lambda done, expected: None) -> VideoRecord:
    """Crop the faces of a video.

    The folders of its people appear only once they are complete.

    Parameters
    ----------
    task : CropTask
    progress : callable
        Called with the number of frames so far and the expected number, None if unknown.

    Returns
    -------
    VideoRecord
        With the status `failed` if the video cannot be read.

    Raises
    ------
    FramelightError
        If the crops cannot be written.
    """
    failed = partial(VideoRecord, task.name, task.video.source, task.video.version)
    try:
        return _crop_video(task, progress)
    except InputError as error:
        return failed(error=str(error))
    except FramelightError:
        raise
    except Exception as error:  # one video, whatever is wrong with it, must not end the others
        logger.debug("this video failed", exc_info=error)
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        return failed(error=f"{task.video.text}: {reason}")


def _crop_video(task: CropTask, progress: Progress) -> VideoRecord:
    options, tracks = task.options, TrackCollector()
    frames = 0
    with _open(task.video) as source, _staging_folder(options.folder, task.name) as staging:
        stage = DetectAndTrack(
            options.open_detector(), (options.framing,), source.rate or DEFAULT_RATE, side=options.size
        )
        with Prefetcher(source, DECODED) as decoded:
            for frames, faces in enumerate(map(stage, decoded), 1):
                tracks.add(faces)
                with explain_write_errors(options.folder / task.name):
                    _write_crops(staging, faces)
                progress(frames, source.frames)
        confirmed = stage.confirmed_tracks()
        people = tracks.people(confirmed)
        names = people_names(task.name, task.base, len(people))
        with explain_write_errors(options.folder / task.name):
            _place(
                staging, options.folder, dict(zip(names, people)), (*task.previous, *(names if task.pending else ()))
            )
        shown = np.unique(np.concatenate([person.frames for person in people])) if people else ()
        return VideoRecord(
            task.name,
            task.video.source,
            task.video.version,
            CROPPED if people else NO_FACE,
            frames,
            len(shown),
            stage.track_count() - sum(len(person.tracks) for person in people),
            sum(len(person.tracks) - 1 for person in people),
            source.rate,
            tuple(_person_record(name, person) for name, person in zip(names, people)),
            tuple(source.notes),
        )


def _open(video: VideoFile) -> Source:
    path = Path(video.text)
    return open_frames(path, video.text) if path.is_dir() else open_source(video.text, crops=False)


@contextmanager
def _staging_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make a hidden folder for the crops of a video; it is removed at the end, with everything that is left in it."""
    with explain_write_errors(folder / name):
        folder.mkdir(parents=True, exist_ok=True)
        staging = create_temp(folder / name, SUFFIX, Path.mkdir)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write_crops(staging: Path, faces: FrameFaces) -> None:
    """Write the crops of a frame to the folders of their tracks."""
    for track, pixels in zip(faces.ids.tolist(), faces.crops[0]):
        folder = staging / str(track)
        folder.mkdir(exist_ok=True)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        (folder / f"{faces.number:05}.jpg").write_bytes(data.tobytes())


def _place(staging: Path, folder: Path, people: dict[str, Person], previous: Iterable[str]) -> None:
    """Move the crops of each person to the folder of that person, in place of the folders of an earlier call."""
    replaced = dict.fromkeys(previous)
    for name in people.keys() - replaced.keys():
        if (folder / name).exists():
            raise FramelightError(
                f"{folder / name} was made by others while the video was cropped; move it elsewhere, and run the same "
                "command again"
            )
    for number, name in enumerate(replaced):
        if (folder / name).exists():
            (folder / name).rename(staging / f"previous{number}")
    for name, person in people.items():
        first, *others = (staging / str(track) for track in person.tracks)
        for other in others:
            for path in other.iterdir():
                path.rename(first / path.name)
        first.rename(folder / name)


def _person_record(name: str, person: Person) -> PersonRecord:
    frames: Sequence[int] = person.frames.tolist()
    return PersonRecord(name, len(frames), frames[0], frames[-1], round(person.position, 4))
