"""Public functions that apply runs to new videos and to the test lists of a challenge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from harness.leaderboard.finished_run import find_finished_run
from harness.leaderboard.runs import BEST_PREFIX, format_dataset, records_of_dataset
from harness.tracking import tracked_records
from harness.utils.errors import InputError
from harness.utils.paths import expand_home
from harness.utils.public_api import as_tuple, framelight_errors, require_choice
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.inference.batch import BatchSummary
    from harness.inference.live import LiveSummary
    from harness.inference.predict import PredictSummary
    from harness.inference.submission.write import Submission

logger = logging.getLogger(__name__)

MISSING = ("filled", "empty")
FORMATS = ("challenge", "frames")
SPLITS = ("test", "validation", "train")


@framelight_errors
def predict(  # noqa: PLR0913 - public, one keyword for each option
    input: Path | str | Sequence[Path | str],
    runs: Sequence[str] | str,
    out: Path | str,
    *,
    store: Store | Path | str | None = None,
    live: bool = False,
    seed: int | None = None,
    render: bool = False,
    force: bool = False,
    crops: bool | None = None,
    detector: str = "auto",
    smallest: int | None = None,
    margin: float | None = None,
    missing: str = "filled",
    kernel: str | None = None,
    radius: int | None = None,
    seconds: float | None = None,
    engine: str = "",
    boxes: Path | str | None = None,
    tracking_uri: str | None = None,
) -> PredictSummary | LiveSummary | BatchSummary:
    """Detect the faces of videos and predict with trained runs, as `framelight predict` does.

    Parameters
    ----------
    input : path, str or sequence of them
        A video, an image, a folder of images, a folder of face crops, or `camera:0`. A folder with videos but no images
        is replaced by its videos, and a pattern such as `videos/*.mp4` by the matching paths. Several inputs are
        predicted one after the other; the models are loaded once. If an input fails, the others are still predicted.
    runs : str or sequence of str
        Run ids or their first characters, `best:TASK`, folders of exports or `models:/NAME@ALIAS`.
    out : path
        Folder to create. It gets `predictions.csv`, `predictions.parquet`, a summary figure and `predict.json`. For
        several inputs, each input gets a subfolder with these files, and `out` also contains `summary.csv`.
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    live : bool
        Read a video like a camera: in real time, with smoothing that uses past frames only. Cameras are always read
        like this.
    seed : int, optional
        Training seed of the models to use. Default: each run's lowest seed.
    render : bool
        Also write the annotated video.
    force : bool
        Replace the content of `out`. For several inputs: replace the folders of these inputs in `out`.
    crops : bool, optional
        Whether every image is already the crop of one face. Default: determined from the images.
    detector : str
        `auto`, `yunet`, `haar`, or the path of a YuNet model in ONNX.
    smallest : int, optional
        Side of the smallest face to detect, in pixels. Default: a twelfth of the frame's shorter side, at least 24.
    margin : float, optional
        Side of a crop relative to the detected box, from 0.5 to 4. Default: estimated from the run's training crops.
    missing : {"filled", "empty"}
        Outputs of frames in which a face is not found: filled from the frames around them, or empty.
    kernel, radius : str and int, optional
        Smoothing filter. Default: what the run selected.
    seconds : float, optional
        Stop after this many seconds of the input.
    engine : str
        Inference engine of the backbone. Default: the fastest.
    boxes : path, optional
        CSV file with the faces of the video, written by py-feat, OpenFace, MediaPipe or this function. If passed, no
        face detector is run.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    PredictSummary, LiveSummary or BatchSummary
        Result with the written `files` and the DataFrame `table`. For several inputs, the table has one row per input,
        with the error of an input that failed.

    Raises
    ------
    InputError
        If the input, a run or an option cannot be used, or `out` is not empty.
    FramelightError
        If files of a run are missing or modified.

    Examples
    --------
    >>> video = sorted((data / "cropped_aligned").iterdir())[0]
    >>> summary = predict(video, "best:expr", out / "video", store=store)
    >>> summary.table[["frame", "expression"]].shape[1], summary.files[0].exists()
    (2, True)
    """
    from harness.inference import predict as prediction
    from harness.inference.batch import predict_batch
    from harness.inference.inputs import CAMERA, expand_inputs, is_single
    from harness.inference.predict_options import PredictOptions

    require_choice("missing", missing, MISSING)
    names = as_tuple(runs)
    if not names:
        raise InputError("name at least one run to predict with")
    texts = (
        [str(expand_home(input))] if isinstance(input, (str, PathLike)) else [str(expand_home(text)) for text in input]
    )
    inputs, notes = expand_inputs(texts)
    if not inputs:
        raise InputError("name at least one input: a video, an image or a folder")
    options = PredictOptions(
        inputs[0],
        names,
        expand_home(out),
        Store.default(store, tracking_uri),
        seed,
        render,
        force,
        crops,
        detector,
        smallest,
        margin,
        missing,
        kernel,
        radius,
        seconds,
        engine,
        None if boxes is None else expand_home(boxes),
    )
    single = is_single(texts, inputs)
    if live or options.input.startswith(CAMERA):
        from harness.inference.live import run_live

        if not single:
            raise InputError("--live plays one video in real time; give only one video, or leave out --live")
        return run_live(options)
    return prediction.predict(options) if single else predict_batch(options, inputs, notes)


@framelight_errors
def submit(  # noqa: PLR0913 - public, one keyword for each option
    run: str,
    data: Path | str,
    out: Path | str,
    *,
    split: str = "test",
    format: str = "challenge",
    frames: Path | str | None = None,
    videos: Path | str | None = None,
    store: Store | Path | str | None = None,
    seed: int | None = None,
    tracking_uri: str | None = None,
) -> Submission:
    """Write a challenge's submission files with a run's model, smoothing and thresholds, as `framelight submit` does.

    Parameters
    ----------
    run : str
        A run id or its first characters, a job id, or `best:TASK` for the best run of a task, if possible one that was
        trained on `data`.
    data : path
        A dataset in the layout of Aff-Wild2, with test lists.
    out : path
        Folder to create.
    split : {"test", "validation", "train"}
        A labeled split is also scored, with the predictions read back from the written files.
    format : {"challenge", "frames"}
        `challenge`: files as in the third challenge. `frames`: one file with a line for each frame, as in the fifth
        and later challenges.
    frames : path, optional
        File with lines `video,frames`: the name of a video and its number of frames.
    videos : path, optional
        Folder of the video files. Default: `videos` in `data`.
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    seed : int, optional
        Training seed of the model to use. Default: the run's lowest seed.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    Submission
        `folder`, `note` (the content of `submission.json`) and, for a labeled split, the scores in `round_trip`.

    Raises
    ------
    InputError
        If the run or dataset cannot be used, numbers of frames do not match the crops, or `out` is not empty.

    Examples
    --------
    >>> submission = submit("best:expr", data, out / "submission", split="validation", store=store)
    >>> submission.note["task"], submission.round_trip.metric
    ('expr', 'P_EXPR')
    """
    from harness.data.affwild2 import AffWild2
    from harness.data.registry import open_dataset
    from harness.inference.submission import write as writing
    from harness.inference.submission.frame_sources import FrameCountSources

    require_choice("split", split, SPLITS)
    require_choice("format", format, FORMATS)
    store, data, out = Store.default(store, tracking_uri), expand_home(data), expand_home(out)
    writing.check_submission_dir(out, data)
    dataset = open_dataset(data)
    if not isinstance(dataset, AffWild2):
        raise InputError(f"{data}: submissions need a dataset in the layout of Aff-Wild2, but this is {dataset.layout}")
    records = tracked_records(store)
    if run.startswith(BEST_PREFIX) and "@" not in run:
        records = records_of_dataset(records, dataset, store) or records
    chosen = find_finished_run(records, run, seed, store)
    if not records_of_dataset([chosen.record], dataset, store):
        logger.warning(
            f"run {chosen.record.group_id} was trained and scored on {format_dataset(chosen.record)}, from which the "
            f"images or annotations of {data} differ"
        )
    places = FrameCountSources(*(None if path is None else expand_home(path) for path in (frames, videos)))
    return writing.submit(chosen, dataset, split, format, places, out)
