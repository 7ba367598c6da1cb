"""The arguments of the commands with which a run leaves the leaderboard. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from harness.cli.arguments import add_store, count, new_command

FORMATS = ("onnx", "openvino", "litert", "executorch")
PRECISIONS = ("float32", "float16", "int8")


def predict(commands) -> None:
    command = new_command(commands, "predict", "predict", "find the faces of a video and read them with trained runs")
    command.add_argument("input", metavar="INPUT", help="a video, an image, a folder of images, a folder of face crops "
                         "or camera:0")
    command.add_argument("--run", action="append", required=True, dest="runs", metavar="RUN",
                         help="a run id, the beginning of one, best:TASK, the folder of an export or "
                              "models:/NAME@ALIAS; several give several tasks in one pass")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    add_store(command, tracking=True)
    command.add_argument("--seed", type=int, metavar="N", help="which seed of a run (default: its first)")
    command.add_argument("--render", action="store_true", help="write the annotated video too")
    command.add_argument("--force", action="store_true", help="replace what is in the folder")
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--crops", action="store_true", help="every image is one face already, nothing is searched")
    kind.add_argument("--detect", action="store_true", help="search faces, even in what looks like a folder of crops")
    command.add_argument("--detector", default="haar", metavar="NAME", help="what finds faces: haar (default), or a "
                         "YuNet model, FILE.onnx")
    command.add_argument("--smallest", type=count, metavar="PIXELS", help="side of the smallest face to find (default: "
                         "a twelfth of the frame's shorter side, at least 24)")
    command.add_argument("--margin", type=float, metavar="X", help="side of a crop in sides of the found box (default: "
                         "as the crops that the run learned from)")
    command.add_argument("--missing", choices=("filled", "empty"), default="filled", help="frames without the face: "
                         "filled from those beside them (default) or left empty; marked in either case")
    command.add_argument("--kernel", metavar="NAME", help="another filter than the run's own: none, mean, median, "
                         "trailing_mean, trailing_median or exponential")
    command.add_argument("--radius", type=int, metavar="N", help="its radius in frames")
    command.add_argument("--live", action="store_true", help="as from a camera: paced by the video's own clock, "
                         "smoothed from the past alone, frames dropped where the machine is slower")
    command.add_argument("--seconds", type=float, metavar="S", help="stop after so much of the input")
    command.add_argument("--engine", default="", metavar="NAME", help="what runs the network (default: the fastest "
                         "here; see extract)")


def export(commands) -> None:
    command = new_command(commands, "export", "export", "write a run as one file that takes face crops, check it "
                          "against the run, score it and measure what it costs")
    command.add_argument("run", metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    command.add_argument("--format", choices=FORMATS, default="onnx", help="default: onnx")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    add_store(command, tracking=True)
    command.add_argument("--precision", action="append", choices=PRECISIONS, dest="precisions",
                         help="as often as needed (default: all that the format has)")
    command.add_argument("--embedding", action="store_true", help="give the backbone's embedding too")
    command.add_argument("--data", type=Path, metavar="DIR", help="where the run's data set is by now")
    command.add_argument("--seed", type=int, metavar="N", help="which seed of the run (default: its first)")
    command.add_argument("--calibration", type=count, default=256, metavar="N", help="training crops that set the "
                         "ranges of int8 (default: 256)")
    command.add_argument("--no-model", action="store_true", help="do not log the model to MLflow")
    command.add_argument("--force", action="store_true", help="replace what is in the folder")
