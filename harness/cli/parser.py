"""The arguments of every command. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.cli.arguments import (
    CommandParser,
    add_command,
    add_jobs,
    add_settings,
    add_store,
    comma_separated,
    positive_int,
)

PRECISIONS = ("float32", "float16", "int8")


def _add_predict(commands) -> None:
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


def _add_export(commands) -> None:
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


DESCRIPTION = (
    "Benchmark harness for frame-level facial affect: which backbone, features, head and smoothing read "
    "faces best for what they cost."
)
EXAMPLES = """\
examples:
  framelight run quickstart                       synthetic faces, no download, ends with a leaderboard
  framelight run abaw3_expr --data DIR            your videos in the ABAW3 layout
  framelight run abaw3_va --data DIR --set seeds=0,1,2 --set protocol=published
  framelight train-backbone light_both            a light backbone of your own: add --data DIR for your faces
  framelight leaderboard --task expr --format csv --out expr.csv
"""


def build_parser() -> argparse.ArgumentParser:
    top = CommandParser(
        "framelight", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_train_backbone(commands)
    _add_leaderboard(commands)
    _add_compare(commands)
    _add_submit(commands)
    _add_predict(commands)
    _add_export(commands)
    _add_data(commands)
    _add_backbones(commands)
    _add_extract(commands)
    _add_ui(commands)
    _add_bench(commands)
    return top


def _add_run(commands) -> None:
    command = add_command(
        commands, "run", "run", "run a recipe and print its leaderboard; what is finished is not rerun"
    )
    command.add_argument("recipe", metavar="RECIPE", help="a name (see experiments/) or a Python file")
    command.add_argument("--data", type=Path, metavar="DIR", help="a data set; without it the recipe's synthetic one")
    add_store(command, tracking=True)
    add_settings(command)
    add_jobs(command, "jobs at a time")
    command.add_argument("--force", action="store_true", help="run finished jobs again (not the trials of a search)")


def _add_train_backbone(commands) -> None:
    command = add_command(
        commands,
        "train-backbone",
        "train_backbone",
        "train a backbone on stills; it becomes an entry that recipes name. Killed, the same command "
        "goes on from the last epoch",
    )
    command.add_argument("recipe", metavar="RECIPE", help="a name (see experiments/) or a Python file")
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="VGGFace2, AffectNet or an image table; without it the recipe's synthetic stills",
    )
    add_store(command, tracking=True)
    add_settings(command)
    command.add_argument("--force", action="store_true", help="train again what has been trained")


def _add_leaderboard(commands) -> None:
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
        "--interval",
        choices=("studentized", "percentile", "bca"),
        default="studentized",
        help="how 95 %% intervals are made (default: studentized, which holds the truth where videos are few)",
    )
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


def _add_compare(commands) -> None:
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


def _add_submit(commands) -> None:
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


def _add_data(commands) -> None:
    command = commands.add_parser("data", help="make or check a data set")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = add_command(actions, "make", "data.make", "write the synthetic set: videos in the ABAW3 layout, and stills")
    make.add_argument("folder", type=Path, metavar="DIR")
    make.add_argument("--videos", type=positive_int, default=40, metavar="N")
    make.add_argument(
        "--frames", type=positive_int, default=150, metavar="N", help="frames of each video (default: 150)"
    )
    make.add_argument("--stills", type=int, default=3000, metavar="N", help="stills with identities (default: 3000)")
    make.add_argument("--seed", type=int, default=0, metavar="N")
    add_jobs(make, "processes")
    check = add_command(actions, "check", "data.check", "recognise a data set, count it, list every problem")
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument(
        "--against",
        type=Path,
        metavar="LIST",
        help="DIR is a submission: check it against this test list, or the lists of this data set",
    )


def _add_backbones(commands) -> None:
    command = add_command(commands, "backbones", "backbones", "list backbones with their cost, or show one")
    command.epilog = "framelight backbones import FILE --name NAME makes a file of weights a backbone (-h says more)"
    command.add_argument("name", nargs="?", metavar="NAME")
    add_store(command)
    command.others["import"] = _import_parser()


def _import_parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        "framelight backbones import",
        description="make a file of weights a backbone: a network or state dict of torch.save (HSEmotion, EmotiEffLib, "
        "VGGFace, timm), a Lightning checkpoint, safetensors or an ONNX model; nothing in it is run",
    )
    command.set_defaults(module="backbones.import_weights")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--name", required=True, metavar="NAME", help="what recipes call it")
    command.add_argument(
        "--architecture", metavar="ARCH", help="a backbone's name or timm's; without it, it is found by the tensors"
    )
    command.add_argument(
        "--classes",
        type=comma_separated,
        metavar="A,B,...",
        help="names of the score columns (default: the published orders for 7 to 10 columns; none for "
        "VGGFace, whose columns are people)",
    )
    add_store(command)
    return command


def _add_extract(commands) -> None:
    command = add_command(commands, "extract", "extract", "extract and store the features of a data set")
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--backbone",
        required=True,
        metavar="NAME",
        help="NAME or NAME@WEIGHTS (random, pretrained, a timm tag, a checkpoint folder)",
    )
    add_store(command)
    command.add_argument(
        "--precision", choices=("float16", "float32"), default="float16", help="what is stored (default: float16)"
    )
    command.add_argument(
        "--engine",
        default="",
        metavar="NAME",
        help="what runs the network: torch, torch channels-last, onnxruntime, openvino or "
        "cuda (default: the fastest here, by measurement)",
    )
    command.add_argument(
        "--compute",
        choices=("float32", "bf16", "fp16"),
        default="float32",
        help="what it computes in (default: float32); the difference of a reduced one is printed",
    )
    add_jobs(command, "threads")


def _add_ui(commands) -> None:
    command = add_command(commands, "ui", "ui", "open MLflow's UI on the store, on loopback")
    add_store(command, tracking=True)
    command.add_argument("--port", type=positive_int, metavar="N", help="default: the first free one from 5000")


def _add_bench(commands) -> None:
    command = add_command(
        commands,
        "bench",
        "bench",
        "measure the parts that must be fast, each beside what it is held against; exit code 1 when one is missed",
    )
    command.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="one part alone; `scale`, which writes 7 GB for a "
        "while, and `mobile`, what exported backbones cost, are measured only by their names",
    )
    command.add_argument("--format", choices=("table", "md", "json"), default="table")
    command.add_argument("--save", action="store_true", help="append the figures to this machine's curves in MLflow")
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw what `scale` measures, as PNG")
    add_store(command, tracking=True)
