"""Arguments of the commands that compare, show, export and apply finished runs.

Imports nothing heavy, so that `--help` is fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import add_command, add_store, positive_int

if TYPE_CHECKING:
    from harness.cli.arguments import Commands

PRECISIONS = ("float32", "float16", "int8")


def add_leaderboard(commands: Commands) -> None:
    """Add `framelight leaderboard`."""
    command = add_command(commands, "leaderboard", "leaderboard", "print the leaderboard of all tracked runs")
    command.add_argument("--task", metavar="TASK", help="task: expr, va, au or mtl (default: all)")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "csv", "json", "md"), default="table")
    command.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    command.add_argument(
        "--optimism",
        action="store_true",
        help="show how much selection on the reported split adds to the scores: each configuration under "
        "both protocols",
    )
    command.add_argument("--published", action="store_true", help="add published results as unranked rows")
    command.add_argument(
        "--interval",
        choices=("studentized", "percentile", "bca"),
        default="studentized",
        help="method of the 95%% CIs (default: studentized, which has the best coverage with few videos)",
    )
    command.add_argument(
        "--causal",
        action="store_true",
        help="show the cost of real time: each run with filters that use no future frame",
    )
    command.add_argument("--data", type=Path, metavar="DIR", help="with --causal: current folder of the data set")
    command.add_argument(
        "--cost",
        action="store_true",
        help="show the accuracy and the measured cost of exported models, and mark the Pareto front",
    )
    command.add_argument("--plot", type=Path, metavar="FILE", help="with --cost: plot accuracy against latency as PNG")


def add_show(commands: Commands) -> None:
    """Add `framelight show`."""
    command = add_command(
        commands,
        "show",
        "show",
        "show one run: settings, scores per class with 95%% CI, smoothing, thresholds, cost and files",
    )
    command.add_argument("run", metavar="RUN", help="a run id or its first characters, a job id, or best:TASK")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "json"), default="table")


def add_compare(commands: Commands) -> None:
    """Add `framelight compare`."""
    command = add_command(
        commands,
        "compare",
        "compare",
        "compare two runs on the same videos: differences in total and per class with 95%% CI and "
        "p-value, and the most "
        "influential videos",
    )
    for name in ("first", "second"):
        command.add_argument(name, metavar="RUN", help="a run id or its first characters, or best:TASK")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "json"), default="table")


def add_submit(commands: Commands) -> None:
    """Add `framelight submit`."""
    command = add_command(
        commands,
        "submit",
        "submit",
        "write the submission files of a challenge with the model, smoothing and thresholds of a run",
    )
    command.add_argument("run", metavar="RUN", help="a run id or its first characters, or best:TASK")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of a data set with test lists")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to create")
    add_store(command, tracking=True)
    command.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        default="test",
        help="split to predict (default: test); the files of a labeled split are also scored",
    )
    command.add_argument(
        "--format",
        choices=("challenge", "frames"),
        default="challenge",
        help="challenge: the files of the third ABAW challenge (default); frames: one file with a line per "
        "frame, as from the "
        "fifth challenge on",
    )
    command.add_argument(
        "--frames",
        type=Path,
        metavar="FILE",
        help="file with a line VIDEO,FRAMES for each video (default: the frame count of the video file plus one, or "
        "else the last crop)",
    )
    command.add_argument("--videos", type=Path, metavar="DIR", help="folder of the video files (default: DIR/videos)")
    command.add_argument("--seed", type=int, metavar="N", help="seed of the run (default: its first)")


def add_predict(commands: Commands) -> None:
    """Add `framelight predict`."""
    command = add_command(commands, "predict", "predict", "detect the faces in a video and predict with trained runs")
    command.add_argument(
        "input", metavar="INPUT", help="a video, an image, a folder of images, a folder of face crops or camera:0"
    )
    command.add_argument(
        "--run",
        action="append",
        required=True,
        dest="runs",
        metavar="RUN",
        help="a run id or its first characters, best:TASK, the folder of an export or models:/NAME@ALIAS; "
        "repeat the option "
        "to predict with several runs in one pass",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to create")
    add_store(command, tracking=True)
    command.add_argument("--seed", type=int, metavar="N", help="seed of the runs (default: the first of each)")
    command.add_argument("--render", action="store_true", help="also write an annotated video")
    command.add_argument("--force", action="store_true", help="replace the content of the output folder")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--crops", action="store_true", help="treat every image as a face crop, without detection")
    kind.add_argument(
        "--detect", action="store_true", help="detect faces, even if the input looks like a folder of crops"
    )
    command.add_argument(
        "--detector",
        default="haar",
        metavar="NAME",
        help="face detector: haar (default), or FILE.onnx with a YuNet model",
    )
    command.add_argument(
        "--smallest",
        type=positive_int,
        metavar="PIXELS",
        help="side of the smallest face to detect (default: 1/12 of the shorter side of the frame, at least 24)",
    )
    command.add_argument(
        "--margin",
        type=float,
        metavar="X",
        help="side of a crop relative to the detected box (default: estimated from the training crops of the run)",
    )
    command.add_argument(
        "--missing",
        choices=("filled", "empty"),
        default="filled",
        help="outputs of frames in which a face is not found: interpolated (filled, default) or left "
        "empty; both are marked",
    )
    command.add_argument(
        "--kernel",
        metavar="NAME",
        help="smoothing kernel instead of the selected one: none, mean, median, trailing_mean, "
        "trailing_median or exponential",
    )
    command.add_argument(
        "--radius", type=int, metavar="N", help="smoothing radius in frames instead of the selected one"
    )
    command.add_argument(
        "--live",
        action="store_true",
        help="process the video in real time like a camera: without future frames, dropping frames if the "
        "machine is too "
        "slow",
    )
    command.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds of the input")
    command.add_argument(
        "--engine",
        default="",
        metavar="NAME",
        help="inference engine (default: the fastest on this machine; see extract)",
    )


def add_export(commands: Commands) -> None:
    """Add `framelight export`."""
    command = add_command(
        commands,
        "export",
        "export",
        "export a run to a model file that takes face crops, check that it reproduces the run, score "
        "it and measure its cost",
    )
    command.add_argument("run", metavar="RUN", help="a run id or its first characters, or best:TASK")
    command.add_argument("--format", default="onnx", help="format: onnx (default), openvino, litert or executorch")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to create")
    add_store(command, tracking=True)
    command.add_argument(
        "--precision",
        action="append",
        choices=PRECISIONS,
        dest="precisions",
        help="precision of the weights; can be repeated (default: all that the format supports)",
    )
    command.add_argument("--embedding", action="store_true", help="also return the embedding of the backbone")
    command.add_argument("--data", type=Path, metavar="DIR", help="current folder of the data set of the run")
    command.add_argument("--seed", type=int, metavar="N", help="seed of the run (default: its first)")
    command.add_argument(
        "--calibration",
        type=positive_int,
        default=256,
        metavar="N",
        help="number of training crops for int8 calibration (default: 256)",
    )
    command.add_argument("--no-model", action="store_true", help="do not log the model to MLflow")
    command.add_argument("--force", action="store_true", help="replace the content of the output folder")
