"""Arguments of the commands that compare, show, export and apply finished runs.

Imports nothing heavy, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
from typing import Any

from harness.cli.arguments import Commands, add_command, path, positive_int, shared_arguments, store

PRECISIONS = ("float32", "float16", "int8")
RUN_HELP = "a run id or its first characters, a job id, best:TASK or best:TASK@DATASET"


def _shared(*names: str, **options: Any) -> argparse.ArgumentParser:
    """Make a parent parser with one argument that several commands have."""
    parser, arguments = shared_arguments()
    arguments.add_argument(*names, **options)
    return parser


RUN = _shared("run", metavar="RUN", help=RUN_HELP)
SEED = _shared("--seed", type=int, metavar="N", help="seed of the run (default: its first)")
OUT = _shared("--out", type=path, required=True, metavar="DIR", help="output folder")
FORCE = _shared("--force", action="store_true", help="replace the content of the output folder")
TABLE_OR_JSON = _shared(
    "--format", choices=("table", "json"), default="table", help="format of the text (default: table)"
)


def add_leaderboard(commands: Commands) -> None:
    """Add `framelight leaderboard`."""
    command = add_command(commands, "leaderboard", "print the leaderboard of all tracked runs", [store(tracking=True)])
    command.add_argument("--task", metavar="TASK", help="expr, va, au or mtl (default: all)")
    command.add_argument(
        "--format", choices=("table", "csv", "json", "md"), help="format of the text (default: by --out, else table)"
    )
    command.add_argument(
        "--out", type=path, metavar="FILE", help="write to a file; .csv, .json and .md select the format"
    )
    command.add_argument("--published", action="store_true", help="add published figures, without a rank")
    command.add_argument(
        "--optimism",
        action="store_true",
        help="compare both protocols: what selection on the reported split adds to the score of each configuration",
    )
    command.add_argument(
        "--causal",
        action="store_true",
        help="compare offline and real-time smoothing: each run smoothed with past frames only",
    )
    command.add_argument("--data", type=path, metavar="DIR", help="with --causal: folder of a dataset that was moved")
    command.add_argument(
        "--cost", action="store_true", help="show score and cost of exported models, with the Pareto front marked"
    )
    command.add_argument("--plot", type=path, metavar="FILE", help="with --cost: draw score against latency, as PNG")


def add_show(commands: Commands) -> None:
    """Add `framelight show`."""
    add_command(
        commands,
        "show",
        "show everything about one run: settings, scores by class with 95% CI, smoothing, thresholds, cost, files",
        [RUN, TABLE_OR_JSON, store(tracking=True)],
    )


def add_compare(commands: Commands) -> None:
    """Add `framelight compare`."""
    command = add_command(
        commands,
        "compare",
        "compare two runs on the same videos: difference with 95% CI and p-value, for each metric and class, and the "
        "videos that influence the difference most",
        [TABLE_OR_JSON, store(tracking=True)],
    )
    command.add_argument("first", metavar="RUN_A", help=RUN_HELP)
    command.add_argument("second", metavar="RUN_B", help="the run to compare it with")


def add_submit(commands: Commands) -> None:
    """Add `framelight submit`."""
    command = add_command(
        commands,
        "submit",
        "write a challenge's submission files with the model, smoothing and thresholds of a run",
        [RUN, OUT, SEED, store(tracking=True)],
    )
    command.add_argument("--data", type=path, required=True, metavar="DIR", help="a dataset with test lists")
    command.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        default="test",
        help="split of the videos (default: test); files of a labeled split are also scored",
    )
    command.add_argument(
        "--format",
        choices=("challenge", "frames"),
        default="challenge",
        help="the files of the third challenge (default), or one file with a line for each frame, as since the fifth",
    )
    command.add_argument(
        "--frames",
        type=path,
        metavar="FILE",
        help="number of frames of each video, as lines `video,frames`; default: that of the video file plus one, or "
        "the last crop",
    )
    command.add_argument("--videos", type=path, metavar="DIR", help="folder of the video files (default: DIR/videos)")


def add_predict(commands: Commands) -> None:
    """Add `framelight predict`."""
    command = add_command(
        commands,
        "predict",
        "find and track the faces of videos and apply trained runs to them",
        [OUT, FORCE, SEED, store(tracking=True)],
    )
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a video, an image, a folder of images, a folder of face crops or camera:0; several of them, or a folder "
        "of videos without images, get a folder each in --out",
    )
    command.add_argument(
        "--run",
        action="append",
        required=True,
        dest="runs",
        metavar="RUN",
        help="a run id or its first characters, best:TASK[@DATASET], the folder of an export, or models:/NAME@ALIAS; "
        "may be repeated, for several tasks in one pass",
    )
    command.add_argument("--render", action="store_true", help="also write the annotated video")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--crops", action="store_true", help="images are face crops: do not detect faces")
    kind.add_argument("--detect", action="store_true", help="detect faces, even in a folder that looks like crops")
    command.add_argument(
        "--detector",
        default="auto",
        metavar="NAME",
        help="face detector: yunet, haar, a YuNet model FILE.onnx, or auto (default): yunet if installed, else haar",
    )
    command.add_argument(
        "--smallest",
        type=positive_int,
        metavar="PIXELS",
        help="side of the smallest face to detect (default: a twelfth of the shorter side of the frame, at least 24)",
    )
    command.add_argument(
        "--margin",
        type=float,
        metavar="X",
        help="side of a crop, relative to that of the detected box (default: as in the crops that the run was trained "
        "on)",
    )
    command.add_argument(
        "--boxes",
        type=path,
        metavar="FILE",
        help="CSV file with the faces of the video, instead of detection: of py-feat, OpenFace or MediaPipe (columns "
        "frame, x, y, width, height or frame, x1, y1, x2, y2, and optionally face_id and score), or predictions.csv",
    )
    command.add_argument(
        "--missing",
        choices=("filled", "empty"),
        default="filled",
        help="frames without the face: interpolated from neighboring frames (default) or left empty; marked in both "
        "cases",
    )
    _add_smoothing(command)
    command.add_argument(
        "--live",
        action="store_true",
        help="as from a camera: in real time, smoothed with past frames only; frames are dropped if the machine is "
        "slower",
    )
    command.add_argument("--seconds", type=float, metavar="S", help="stop after so many seconds of the input")
    command.add_argument(
        "--engine", default="", metavar="NAME", help="engine of the network (default: the fastest here; see extract)"
    )


def _add_smoothing(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--kernel",
        metavar="NAME",
        help="smoothing filter: none, mean, median, trailing_mean, trailing_median or exponential (default: that of "
        "the run)",
    )
    command.add_argument("--radius", type=int, metavar="N", help="radius of the filter in frames")


def add_export(commands: Commands) -> None:
    """Add `framelight export`."""
    command = add_command(
        commands,
        "export",
        "write a run as one file that takes face crops, compare its outputs with the run, score it and measure its "
        "cost",
        [RUN, OUT, FORCE, SEED, store(tracking=True)],
    )
    command.add_argument(
        "--format", default="onnx", metavar="NAME", help="onnx (default), openvino, litert or executorch"
    )
    command.add_argument(
        "--precision",
        action="append",
        choices=PRECISIONS,
        dest="precisions",
        metavar="NAME",
        help="float32, float16 or int8; may be repeated (default: all that the format has)",
    )
    command.add_argument("--embedding", action="store_true", help="add the backbone's embedding to the outputs")
    command.add_argument("--data", type=path, metavar="DIR", help="folder of the run's dataset, if it was moved")
    command.add_argument(
        "--calibration",
        type=positive_int,
        default=256,
        metavar="N",
        help="number of training crops that calibrate int8 (default: 256)",
    )
    command.add_argument("--no-model", action="store_true", help="do not log the model to MLflow")
