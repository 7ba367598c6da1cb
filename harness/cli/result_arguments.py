"""Arguments of the commands that compare, show, export and apply finished runs.

Imports nothing heavy, so that `--help` is quick.
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
    command.add_argument("--task", metavar="TASK", help="expr, va, au or mtl (default: all)")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "csv", "json", "md"), default="table")
    command.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    command.add_argument(
        "--optimism",
        action="store_true",
        help="what choosing on the reported split adds: each configuration under both protocols",
    )
    command.add_argument("--published", action="store_true", help="published figures beside the runs, without a rank")
    command.add_argument(
        "--causal",
        action="store_true",
        help="what real time costs: each run smoothed from the past alone, chosen and scored as it was offline",
    )
    command.add_argument("--data", type=Path, metavar="DIR", help="with --causal: where the data set is by now")
    command.add_argument(
        "--cost",
        action="store_true",
        help="accuracy and what was measured of exported models on one row, the Pareto front marked",
    )
    command.add_argument("--plot", type=Path, metavar="FILE", help="with --cost: draw accuracy against latency, as PNG")


def add_show(commands: Commands) -> None:
    """Add `framelight show`."""
    command = add_command(
        commands,
        "show",
        "show",
        "show everything about one run: settings, scores by class with 95%% CI, smoothing, thresholds, cost, files",
    )
    command.add_argument("run", metavar="RUN", help="a run id, the beginning of one, a job id, or best:TASK")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "json"), default="table")


def add_compare(commands: Commands) -> None:
    """Add `framelight compare`."""
    command = add_command(
        commands,
        "compare",
        "compare",
        "compare two runs on the same videos: difference, interval, p-value, per class, and the videos that moved most",
    )
    for name in ("first", "second"):
        command.add_argument(name, metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    add_store(command, tracking=True)
    command.add_argument("--format", choices=("table", "json"), default="table")


def add_submit(commands: Commands) -> None:
    """Add `framelight submit`."""
    command = add_command(
        commands,
        "submit",
        "submit",
        "write a challenge's submission files with a run's model, smoothing and thresholds",
    )
    command.add_argument("run", metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="a data set with test lists")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    add_store(command, tracking=True)
    command.add_argument(
        "--split",
        choices=("test", "validation", "train"),
        default="test",
        help="whose videos (default: test); a labelled split is scored from the files too",
    )
    command.add_argument(
        "--format",
        choices=("challenge", "frames"),
        default="challenge",
        help="the third challenge's files (default), or one file with a line for each frame, as from the fifth on",
    )
    command.add_argument(
        "--frames",
        type=Path,
        metavar="FILE",
        help="frames of each video, as video,frames lines; "
        "default: the video file's count plus one, else the last crop",
    )
    command.add_argument("--videos", type=Path, metavar="DIR", help="where the video files are (default: DIR/videos)")
    command.add_argument("--seed", type=int, metavar="N", help="which seed of the run (default: its first)")


def add_predict(commands: Commands) -> None:
    """Add `framelight predict`."""
    command = add_command(commands, "predict", "predict", "find the faces of a video and read them with trained runs")
    command.add_argument(
        "input", metavar="INPUT", help="a video, an image, a folder of images, a folder of face crops or camera:0"
    )
    command.add_argument(
        "--run",
        action="append",
        required=True,
        dest="runs",
        metavar="RUN",
        help="a run id, the beginning of one, best:TASK, the folder of an export or "
        "models:/NAME@ALIAS; several give several tasks in one pass",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    add_store(command, tracking=True)
    command.add_argument("--seed", type=int, metavar="N", help="which seed of a run (default: its first)")
    command.add_argument("--render", action="store_true", help="write the annotated video too")
    command.add_argument("--force", action="store_true", help="replace what is in the folder")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--crops", action="store_true", help="every image is one face already, nothing is searched")
    kind.add_argument("--detect", action="store_true", help="search faces, even in what looks like a folder of crops")
    command.add_argument(
        "--detector",
        default="haar",
        metavar="NAME",
        help="what finds faces: haar (default), or a YuNet model, FILE.onnx",
    )
    command.add_argument(
        "--smallest",
        type=positive_int,
        metavar="PIXELS",
        help="side of the smallest face to find (default: a twelfth of the frame's shorter side, at least 24)",
    )
    command.add_argument(
        "--margin",
        type=float,
        metavar="X",
        help="side of a crop in sides of the found box (default: as the crops that the run learned from)",
    )
    command.add_argument(
        "--missing",
        choices=("filled", "empty"),
        default="filled",
        help="frames without the face: filled from those beside them (default) or left empty; marked in either case",
    )
    command.add_argument(
        "--kernel",
        metavar="NAME",
        help="another filter than the run's own: none, mean, median, trailing_mean, trailing_median or exponential",
    )
    command.add_argument("--radius", type=int, metavar="N", help="its radius in frames")
    command.add_argument(
        "--live",
        action="store_true",
        help="as from a camera: paced by the video's own clock, "
        "smoothed from the past alone, frames dropped where the machine is slower",
    )
    command.add_argument("--seconds", type=float, metavar="S", help="stop after so much of the input")
    command.add_argument(
        "--engine", default="", metavar="NAME", help="what runs the network (default: the fastest here; see extract)"
    )


def add_export(commands: Commands) -> None:
    """Add `framelight export`."""
    command = add_command(
        commands,
        "export",
        "export",
        "write a run as one file that takes face crops, check it against the run, score it and measure what it costs",
    )
    command.add_argument("run", metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    command.add_argument("--format", default="onnx", help="onnx (default), openvino, litert or executorch")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    add_store(command, tracking=True)
    command.add_argument(
        "--precision",
        action="append",
        choices=PRECISIONS,
        dest="precisions",
        help="as often as needed (default: all that the format has)",
    )
    command.add_argument("--embedding", action="store_true", help="give the backbone's embedding too")
    command.add_argument("--data", type=Path, metavar="DIR", help="where the run's data set is by now")
    command.add_argument("--seed", type=int, metavar="N", help="which seed of the run (default: its first)")
    command.add_argument(
        "--calibration",
        type=positive_int,
        default=256,
        metavar="N",
        help="training crops that set the ranges of int8 (default: 256)",
    )
    command.add_argument("--no-model", action="store_true", help="do not log the model to MLflow")
    command.add_argument("--force", action="store_true", help="replace what is in the folder")
