"""Arguments of the commands that prepare and run experiments.

Imports nothing heavy, so that `--help` is fast.
"""

from __future__ import annotations

import argparse

from harness.cli.arguments import Commands, add_command, jobs, path, positive_int, settings, shared_arguments, store
from harness.cli.import_arguments import import_parser, remove_parser


def add_run(commands: Commands) -> None:
    """Add `framelight run`."""
    command = add_command(
        commands,
        "run",
        "run a recipe and print its leaderboard; finished jobs are not repeated",
        [_recipe(), settings(), jobs("parallel jobs"), store(tracking=True)],
    )
    command.add_argument("--data", type=path, metavar="DIR", help="a dataset (default: the recipe's synthetic one)")
    command.add_argument("--force", action="store_true", help="repeat finished jobs (not the trials of a search)")


def add_recipes(commands: Commands) -> None:
    """Add `framelight recipes`."""
    add_command(
        commands,
        "recipes",
        "list the recipes: what each compares and needs, its number of jobs, about how long it takes",
    )


def add_completion(commands: Commands) -> None:
    """Add `framelight completion`."""
    command = add_command(
        commands, "completion", "print the completion script of a shell: source <(framelight completion bash)"
    )
    command.add_argument("shell", choices=("bash", "zsh"))


def add_train_backbone(commands: Commands) -> None:
    """Add `framelight train-backbone`."""
    command = add_command(
        commands,
        "train-backbone",
        "train a backbone on still images, for use in recipes; an interrupted training is resumed at its last epoch",
        [_recipe(), settings(), store(tracking=True)],
    )
    command.add_argument(
        "--data",
        type=path,
        metavar="DIR",
        help="VGGFace2, AffectNet or an image table (default: the recipe's synthetic images)",
    )
    command.add_argument("--force", action="store_true", help="train again if the backbone exists")


def add_extract(commands: Commands) -> None:
    """Add `framelight extract`."""
    command = add_command(
        commands,
        "extract",
        "extract the features of a dataset with a backbone and store them",
        [jobs("threads"), store()],
    )
    command.add_argument("--data", type=path, required=True, metavar="DIR", help="a dataset")
    command.add_argument(
        "--backbone",
        required=True,
        metavar="NAME",
        help="NAME or NAME@WEIGHTS (random, pretrained, a timm tag, a checkpoint folder)",
    )
    command.add_argument(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="precision of the stored features (default: float16)",
    )
    command.add_argument(
        "--engine",
        default="",
        metavar="NAME",
        help="engine of the network: torch, torch channels-last, onnxruntime, openvino or cuda (default: the fastest "
        "measured here)",
    )
    command.add_argument(
        "--compute",
        choices=("float32", "bf16", "fp16"),
        default="float32",
        help="precision of the network (default: float32); for the others the difference is printed",
    )


def add_data(commands: Commands) -> None:
    """Add `framelight data`."""
    command = commands.add_parser("data", help="generate, crop or check a dataset")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    make = add_command(
        actions,
        "make",
        "generate the synthetic dataset: videos in the ABAW3 layout, and still images",
        [jobs("processes")],
        "data.make",
    )
    make.add_argument("folder", type=path, metavar="DIR", help="output folder")
    make.add_argument("--videos", type=positive_int, default=40, metavar="N", help="number of videos (default: 40)")
    make.add_argument(
        "--frames", type=positive_int, default=150, metavar="N", help="frames of each video (default: 150)"
    )
    make.add_argument(
        "--stills", type=int, default=3000, metavar="N", help="still images with identities (default: 3000)"
    )
    make.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    _add_crop(actions)
    check = add_command(
        actions,
        "check",
        "detect the layout of a dataset, count its content and list its problems",
        function="data.check",
    )
    check.add_argument("folder", type=path, metavar="DIR", help="a dataset, or a submission with --against")
    check.add_argument(
        "--against",
        type=path,
        metavar="LIST",
        help="check a submission against this test list, or against the lists of this dataset",
    )
    check.add_argument("--all", action="store_true", help="list every problem (default: the first 5 of each kind)")


def _add_crop(actions: Commands) -> None:
    """Add `framelight data crop`."""
    crop = add_command(
        actions,
        "crop",
        "detect and track the faces of videos and cut them out as crops, in the folders of Aff-Wild2; run again, it "
        "crops only what is missing",
        [jobs("processes")],
        "data.crop",
    )
    crop.add_argument(
        "videos",
        nargs="+",
        metavar="VIDEOS",
        help="a folder of videos, a video, or a folder of the frames of a video; may be several",
    )
    crop.add_argument("--out", type=path, required=True, metavar="DIR", help="output folder")
    crop.add_argument(
        "--labels", type=path, metavar="FILE", help="copy a table of labels, .csv or .parquet, next to the crops"
    )
    crop.add_argument(
        "--align",
        choices=("none", "five_point"),
        default="none",
        help="five_point: turn and scale faces so that eyes, nose and mouth are at fixed places (default: none)",
    )
    crop.add_argument(
        "--margin",
        type=float,
        metavar="X",
        help="side of a crop, relative to that of the detected box (default: 1.02, moved down by 0.04)",
    )
    crop.add_argument(
        "--size", type=positive_int, default=112, metavar="S", help="side of the crops in pixels (default: 112)"
    )
    crop.add_argument(
        "--detector",
        default="auto",
        metavar="NAME",
        help="face detector: yunet, haar, a YuNet model FILE.onnx, or auto (default): yunet if installed, else haar",
    )
    crop.add_argument(
        "--smallest",
        type=positive_int,
        metavar="PX",
        help="side of the smallest face to detect (default: a twelfth of the shorter side of the frame, at least 24)",
    )


def add_backbones(commands: Commands) -> None:
    """Add `framelight backbones`."""
    command = add_command(commands, "backbones", "list the backbones with their cost, or describe one", [store()])
    command.epilog = (
        "to import weights: framelight backbones import FILE --name NAME (see its --help); to remove a trained or "
        "imported backbone: framelight backbones remove NAME"
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a backbone (default: list all)")
    command.subcommands["import"] = import_parser()
    command.subcommands["remove"] = remove_parser()


def add_ui(commands: Commands) -> None:
    """Add `framelight ui`."""
    command = add_command(
        commands, "ui", "open the MLflow UI of the store on the loopback interface", [store(tracking=True)]
    )
    command.add_argument("--port", type=positive_int, metavar="N", help="port (default: the first free one from 5000)")


def add_bench(commands: Commands) -> None:
    """Add `framelight bench`."""
    command = add_command(
        commands,
        "bench",
        "run benchmarks and compare each with its requirement; exit code 1 if one is not met",
        [store(tracking=True)],
    )
    command.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a single benchmark (default: all but four, which run only if named: scale (temporarily writes 7 GB), "
        "mobile (cost of exported backbones), coverage (how often 95%% CIs include the true score) and errors (how "
        "often boards of equal runs find a difference))",
    )
    command.add_argument(
        "--format", choices=("table", "md", "json"), default="table", help="format of the text (default: table)"
    )
    command.add_argument("--save", action="store_true", help="append the results to this machine's history in MLflow")
    command.add_argument("--plot", type=path, metavar="FILE", help="draw the results of `scale`, as PNG")


def _recipe() -> argparse.ArgumentParser:
    parser, arguments = shared_arguments()
    arguments.add_argument("recipe", metavar="RECIPE", help="a name, see framelight recipes, or a Python file")
    return parser
