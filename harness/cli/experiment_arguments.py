"""Arguments of the commands that prepare and run experiments.

Imports nothing heavy, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import add_command, add_jobs, add_settings, add_store, comma_separated, positive_int

if TYPE_CHECKING:
    from harness.cli.arguments import Commands


def add_run(commands: Commands) -> None:
    """Add `framelight run`."""
    command = add_command(
        commands, "run", "run", "run a recipe and print its leaderboard; what is finished is not rerun"
    )
    command.add_argument("recipe", metavar="RECIPE", help="a name (see experiments/) or a Python file")
    command.add_argument("--data", type=Path, metavar="DIR", help="a data set; without it the recipe's synthetic one")
    add_store(command, tracking=True)
    add_settings(command)
    add_jobs(command, "jobs at a time")
    command.add_argument("--force", action="store_true", help="run finished jobs again (not the trials of a search)")


def add_recipes(commands: Commands) -> None:
    """Add `framelight recipes`."""
    add_command(
        commands, "recipes", "recipes", "list the recipes: what each compares, what it needs, how many jobs it has"
    )


def add_completion(commands: Commands) -> None:
    """Add `framelight completion`."""
    command = add_command(
        commands,
        "completion",
        "completion",
        "print the completion script of a shell: source <(framelight completion bash)",
    )
    command.add_argument("shell", choices=("bash", "zsh"))


def add_train_backbone(commands: Commands) -> None:
    """Add `framelight train-backbone`."""
    command = add_command(
        commands,
        "train-backbone",
        "train_backbone",
        "train a backbone on stills, for use in recipes; rerunning an interrupted command resumes from the last epoch",
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


def add_extract(commands: Commands) -> None:
    """Add `framelight extract`."""
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


def add_data(commands: Commands) -> None:
    """Add `framelight data`."""
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


def add_backbones(commands: Commands) -> None:
    """Add `framelight backbones`."""
    command = add_command(commands, "backbones", "backbones", "list backbones with their cost, or show one")
    command.epilog = "framelight backbones import FILE --name NAME makes a file of weights a backbone (-h says more)"
    command.add_argument("name", nargs="?", metavar="NAME")
    add_store(command)
    command.subcommands["import"] = import_parser()


def import_parser() -> argparse.ArgumentParser:
    """Build the parser of `framelight backbones import`."""
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


def add_ui(commands: Commands) -> None:
    """Add `framelight ui`."""
    command = add_command(commands, "ui", "ui", "open MLflow's UI on the store, on loopback")
    add_store(command, tracking=True)
    command.add_argument("--port", type=positive_int, metavar="N", help="default: the first free one from 5000")


def add_bench(commands: Commands) -> None:
    """Add `framelight bench`."""
    command = add_command(
        commands,
        "bench",
        "bench",
        "run benchmarks and compare each with its requirement; exit code 1 if one is not reached",
    )
    command.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="one part alone; `scale`, which writes 7 GB for a while, `mobile`, what exported backbones cost, and "
        "`coverage`, how often 95 %% intervals cover the true value, are measured only by their names",
    )
    command.add_argument("--format", choices=("table", "md", "json"), default="table")
    command.add_argument("--save", action="store_true", help="append the figures to this machine's curves in MLflow")
    command.add_argument("--plot", type=Path, metavar="FILE", help="draw what `scale` measures, as PNG")
    add_store(command, tracking=True)
