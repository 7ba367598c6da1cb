"""Arguments of the commands that prepare and run experiments.

Imports nothing heavy, so that `--help` is fast.
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
        commands, "run", "run", "run a recipe and print its leaderboard; finished jobs are not run again"
    )
    command.add_argument("recipe", metavar="RECIPE", help="name of a recipe (see experiments/) or a Python file")
    command.add_argument(
        "--data", type=Path, metavar="DIR", help="folder of the data set (default: the synthetic one of the recipe)"
    )
    add_store(command, tracking=True)
    add_settings(command)
    add_jobs(command, "number of parallel jobs")
    command.add_argument("--force", action="store_true", help="run finished jobs again (not the trials of a search)")


def add_recipes(commands: Commands) -> None:
    """Add `framelight recipes`."""
    add_command(commands, "recipes", "recipes", "list the recipes with their summary, required data and number of jobs")


def add_completion(commands: Commands) -> None:
    """Add `framelight completion`."""
    command = add_command(
        commands,
        "completion",
        "completion",
        "print the completion script for a shell: source <(framelight completion bash)",
    )
    command.add_argument("shell", choices=("bash", "zsh"))


def add_train_backbone(commands: Commands) -> None:
    """Add `framelight train-backbone`."""
    command = add_command(
        commands,
        "train-backbone",
        "train_backbone",
        "train a backbone on still images for use in recipes; rerunning an interrupted command resumes it",
    )
    command.add_argument("recipe", metavar="RECIPE", help="name of a recipe (see experiments/) or a Python file")
    command.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="VGGFace2, AffectNet or an image table (default: the synthetic images of the recipe)",
    )
    add_store(command, tracking=True)
    add_settings(command)
    command.add_argument("--force", action="store_true", help="train the backbone again even if it is in the store")


def add_extract(commands: Commands) -> None:
    """Add `framelight extract`."""
    command = add_command(commands, "extract", "extract", "extract and store the features of a data set")
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument(
        "--backbone",
        required=True,
        metavar="NAME",
        help="NAME or NAME@WEIGHTS; WEIGHTS is random, pretrained, a timm tag or a checkpoint folder",
    )
    add_store(command)
    command.add_argument(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="dtype of the stored features (default: float16)",
    )
    command.add_argument(
        "--engine",
        default="",
        metavar="NAME",
        help="inference engine: torch, torch channels-last, onnxruntime, openvino or cuda "
        "(default: the fastest on this machine, by measurement)",
    )
    command.add_argument(
        "--compute",
        choices=("float32", "bf16", "fp16"),
        default="float32",
        help="dtype of the computation (default: float32); for the others the difference to float32 is printed",
    )
    add_jobs(command, "number of threads")


def add_data(commands: Commands) -> None:
    """Add `framelight data`."""
    command = commands.add_parser("data", help="create or check a data set")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = add_command(
        actions, "make", "data.make", "create a synthetic data set: videos in the ABAW3 layout and still images"
    )
    make.add_argument("folder", type=Path, metavar="DIR")
    make.add_argument("--videos", type=positive_int, default=40, metavar="N")
    make.add_argument("--frames", type=positive_int, default=150, metavar="N", help="frames per video (default: 150)")
    make.add_argument("--stills", type=int, default=3000, metavar="N", help="number of still images (default: 3000)")
    make.add_argument("--seed", type=int, default=0, metavar="N")
    add_jobs(make, "number of processes")
    check = add_command(
        actions, "check", "data.check", "detect the layout of a data set, count its contents and list all problems"
    )
    check.add_argument("folder", type=Path, metavar="DIR")
    check.add_argument(
        "--against",
        type=Path,
        metavar="LIST",
        help="check DIR as a submission for this test list, or for the test lists of this data set",
    )


def add_backbones(commands: Commands) -> None:
    """Add `framelight backbones`."""
    command = add_command(commands, "backbones", "backbones", "list the backbones with their cost, or show one of them")
    command.epilog = "framelight backbones import FILE --name NAME imports a weights file as a backbone (see its -h)"
    command.add_argument("name", nargs="?", metavar="NAME")
    add_store(command)
    command.subcommands["import"] = import_parser()


def import_parser() -> argparse.ArgumentParser:
    """Build the parser of `framelight backbones import`."""
    command = argparse.ArgumentParser(
        "framelight backbones import",
        description="import a weights file as a backbone: a network or state dict saved by torch.save (HSEmotion, "
        "EmotiEffLib, VGGFace, timm), a Lightning checkpoint, safetensors or an ONNX model; no code in it is executed",
    )
    command.set_defaults(module="backbones.import_weights")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("--name", required=True, metavar="NAME", help="name of the backbone in recipes")
    command.add_argument(
        "--architecture", metavar="ARCH", help="name of a backbone or a timm model (default: inferred from the tensors)"
    )
    command.add_argument(
        "--classes",
        type=comma_separated,
        metavar="A,B,...",
        help="names of the score columns (default: the published order for 7 to 10 columns; none for "
        "VGGFace, whose columns are identities)",
    )
    add_store(command)
    return command


def add_ui(commands: Commands) -> None:
    """Add `framelight ui`."""
    command = add_command(commands, "ui", "ui", "start the MLflow UI of the store on localhost")
    add_store(command, tracking=True)
    command.add_argument("--port", type=positive_int, metavar="N", help="port (default: the first free one from 5000)")


def add_bench(commands: Commands) -> None:
    """Add `framelight bench`."""
    command = add_command(
        commands,
        "bench",
        "bench",
        "run benchmarks and compare them with their requirements; the exit code is 1 if one is missed",
    )
    command.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="name of one benchmark (default: all but `scale`, which temporarily writes 7 GB, `mobile`, the cost of "
        "exported backbones, and `errors`, simulations of the test that boards apply)",
    )
    command.add_argument("--format", choices=("table", "md", "json"), default="table")
    command.add_argument(
        "--save", action="store_true", help="log the results to MLflow as a new step of this machine's run"
    )
    command.add_argument("--plot", type=Path, metavar="FILE", help="plot the results of `scale` as PNG")
    add_store(command, tracking=True)
