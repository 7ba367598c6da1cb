"""The arguments of every command. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

DESCRIPTION = "Benchmark harness for frame-level facial affect: which backbone, features, head and smoothing read " \
              "faces best for what they cost."
EXAMPLES = """\
examples:
  framelight run quickstart                       synthetic faces, no download, ends with a leaderboard
  framelight run abaw3_expr --data DIR            your videos in the ABAW3 layout
  framelight run abaw3_va --data DIR --set seeds=0,1,2 --set protocol=published
  framelight train-backbone light_both            a light backbone of your own: add --data DIR for your faces
  framelight leaderboard --task expr --format csv --out expr.csv
"""


class _Parser(argparse.ArgumentParser):
    """A parser that hands what follows certain first words to others: `backbones import`, beside `backbones NAME`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.others: dict[str, argparse.ArgumentParser] = {}

    def parse_known_args(self, args=None, namespace=None):
        if args and args[0] in self.others:
            return self.others[args[0]].parse_known_args(args[1:], namespace)
        return super().parse_known_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    top = _Parser("framelight", description=DESCRIPTION, epilog=EXAMPLES,
                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _run(commands)
    _train_backbone(commands)
    _leaderboard(commands)
    _compare(commands)
    _submit(commands)
    _data(commands)
    _backbones(commands)
    _extract(commands)
    _ui(commands)
    _bench(commands)
    return top


def _command(commands, name: str, module: str, help: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help, description=help)
    command.set_defaults(module=module)
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return command


def _store(command: argparse.ArgumentParser, tracking: bool = False) -> None:
    command.add_argument("--store", type=Path, default=Path(os.environ.get("FRAMELIGHT_STORE", "framelight-store")),
                         metavar="DIR", help="where results are kept (default: $FRAMELIGHT_STORE or framelight-store)")
    if tracking:
        command.add_argument("--tracking-uri", default=os.environ.get("MLFLOW_TRACKING_URI"), metavar="URI",
                             help="an MLflow server instead of the store's own database")


def _jobs(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--jobs", type=_count, default=os.cpu_count() or 1, metavar="N",
                         help=f"{what} (default: the number of cores)")


def _run(commands) -> None:
    command = _command(commands, "run", "run", "run a recipe and print its leaderboard; what is finished is not rerun")
    command.add_argument("recipe", metavar="RECIPE", help="a name (see experiments/) or a Python file")
    command.add_argument("--data", type=Path, metavar="DIR", help="a data set; without it the recipe's synthetic one")
    _store(command, tracking=True)
    _settings(command)
    _jobs(command, "jobs at a time")
    command.add_argument("--force", action="store_true", help="run finished jobs again (not the trials of a search)")


def _train_backbone(commands) -> None:
    command = _command(commands, "train-backbone", "train_backbone",
                       "train a backbone on stills; it becomes an entry that recipes name. Killed, the same command "
                       "goes on from the last epoch")
    command.add_argument("recipe", metavar="RECIPE", help="a name (see experiments/) or a Python file")
    command.add_argument("--data", type=Path, metavar="DIR",
                         help="VGGFace2, AffectNet or an image table; without it the recipe's synthetic stills")
    _store(command, tracking=True)
    _settings(command)
    command.add_argument("--force", action="store_true", help="train again what has been trained")


def _settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE",
                         help="change a field of the recipe, as often as needed")


def _leaderboard(commands) -> None:
    command = _command(commands, "leaderboard", "leaderboard", "print the leaderboard of all tracked runs")
    command.add_argument("--task", metavar="TASK", help="expr, va, au or mtl (default: all)")
    _store(command, tracking=True)
    command.add_argument("--format", choices=("table", "csv", "json", "md"), default="table")
    command.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the terminal")
    command.add_argument("--optimism", action="store_true",
                         help="what choosing on the reported split adds: each configuration under both protocols")
    command.add_argument("--published", action="store_true", help="published figures beside the runs, without a rank")
    command.add_argument("--interval", choices=("studentized", "percentile", "bca"), default="studentized",
                         help="how 95 %% intervals are made (default: studentized, which holds the truth where videos "
                              "are few)")


def _compare(commands) -> None:
    command = _command(commands, "compare", "compare", "compare two runs on the same videos: difference, interval, "
                       "p-value, per class, and the videos that moved most")
    for name in ("first", "second"):
        command.add_argument(name, metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    _store(command, tracking=True)
    command.add_argument("--format", choices=("table", "json"), default="table")


def _submit(commands) -> None:
    command = _command(commands, "submit", "submit", "write a challenge's submission files with a run's model, "
                       "smoothing and thresholds")
    command.add_argument("run", metavar="RUN", help="a run id, the beginning of one, or best:TASK")
    command.add_argument("--data", type=Path, required=True, metavar="DIR", help="a data set with test lists")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder to make")
    _store(command, tracking=True)
    command.add_argument("--split", choices=("test", "validation", "train"), default="test",
                         help="whose videos (default: test); a labelled split is scored from the files too")
    command.add_argument("--format", choices=("challenge", "frames"), default="challenge", help="the third challenge's "
                         "files (default), or one file with a line for each frame, as from the fifth on")
    command.add_argument("--frames", type=Path, metavar="FILE", help="frames of each video, as video,frames lines; "
                         "default: the video file's count plus one, else the last crop")
    command.add_argument("--videos", type=Path, metavar="DIR", help="where the video files are (default: DIR/videos)")
    command.add_argument("--seed", type=int, metavar="N", help="which seed of the run (default: its first)")


def _data(commands) -> None:
    command = commands.add_parser("data", help="make or check a data set")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = _command(actions, "make", "data_make", "write the synthetic set: videos in the ABAW3 layout, and stills")
    make.add_argument("folder", type=Path, metavar="DIR")
    make.add_argument("--videos", type=_count, default=40, metavar="N")
    make.add_argument("--frames", type=_count, default=150, metavar="N", help="frames of each video (default: 150)")
    make.add_argument("--stills", type=int, default=3000, metavar="N", help="stills with identities (default: 3000)")
    make.add_argument("--seed", type=int, default=0, metavar="N")
    _jobs(make, "processes")
    check = _command(actions, "check", "data_check", "recognise a data set, count it, list every problem")
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument("--against", type=Path, metavar="LIST",
                       help="DIR is a submission: check it against this test list, or the lists of this data set")


def _backbones(commands) -> None:
    command = _command(commands, "backbones", "backbones", "list backbones with their cost, or show one")
    command.epilog = "framelight backbones import FILE --name NAME makes a file of weights a backbone (-h says more)"
    command.add_argument("name", nargs="?", metavar="NAME")
    _store(command)
    command.others["import"] = _backbones_import()


def _backbones_import() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        "framelight backbones import",
        description="make a file of weights a backbone: a network or state dict of torch.save (HSEmotion, EmotiEffLib, "
                    "VGGFace, timm), a Lightning checkpoint, safetensors or an ONNX model; nothing in it is run")
    command.set_defaults(module="backbones_import")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--name", required=True, metavar="NAME", help="what recipes call it")
    command.add_argument("--architecture", metavar="ARCH",
                         help="a backbone's name or timm's; without it, it is found by the tensors")
    command.add_argument("--classes", type=_names, metavar="A,B,...",
                         help="names of the score columns (default: the published orders for 7 to 10 columns; none for "
                              "VGGFace, whose columns are people)")
    _store(command)
    return command


def _extract(commands) -> None:
    command = _command(commands, "extract", "extract", "extract and store the features of a data set")
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--backbone", required=True, metavar="NAME",
                         help="NAME or NAME@WEIGHTS (random, pretrained, a timm tag, a checkpoint folder)")
    _store(command)
    command.add_argument("--precision", choices=("float16", "float32"), default="float16",
                         help="what is stored (default: float16)")
    command.add_argument("--engine", default="", metavar="NAME",
                         help="what runs the network: torch, torch channels-last, torch compiled, onnxruntime, "
                              "openvino or cuda (default: the fastest here, by measurement)")
    command.add_argument("--compute", choices=("float32", "bf16", "fp16"), default="float32",
                         help="what it computes in (default: float32); the difference of a reduced one is printed")
    _jobs(command, "threads")


def _ui(commands) -> None:
    command = _command(commands, "ui", "ui", "open MLflow's UI on the store, on loopback")
    _store(command, tracking=True)
    command.add_argument("--port", type=_count, metavar="N", help="default: the first free one from 5000")


def _bench(commands) -> None:
    command = _command(commands, "bench", "bench", "measure the parts that must be fast, each beside what it is held "
                       "against; exit code 1 when one is missed")
    command.add_argument("name", nargs="?", metavar="NAME", help="one part alone; `scale`, which writes 7 GB for a "
                         "while, is measured only by its name")
    command.add_argument("--format", choices=("table", "md", "json"), default="table")
    command.add_argument("--save", action="store_true", help="append the figures to this machine's curves in MLflow")
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw what `scale` measures, as PNG")
    _store(command, tracking=True)


def _count(text: str) -> int:
    value = int(text) if text.lstrip("+-").isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError("expects a whole number of at least 1")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
