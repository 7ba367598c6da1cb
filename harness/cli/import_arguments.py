"""Arguments of `framelight backbones import` and `framelight backbones remove`.

Imports nothing heavy, so that `--help` is fast.
"""

from __future__ import annotations

import argparse
import re

from backbones.importing.options import CHANNELS, KNOWN_FORMATS, LAYOUTS
from backbones.spec import ALIGNMENTS, INTERPOLATIONS
from harness.cli.arguments import CommandParser, comma_separated, debug, path, positive_int, store

DESCRIPTION = """import a file of weights as a backbone: a network or state dict of torch.save (HSEmotion, \
EmotiEffLib, VGGFace, timm), a Lightning checkpoint, safetensors, an ONNX model, or the model.json of a TensorFlow.js \
graph model; code in the file is not executed

Only Lightning checkpoints of this project contain their preprocessing and class names. For other files, state them: \
nothing is assumed. Wrong preprocessing or a wrong class order costs most of the score without any error."""


def import_parser() -> argparse.ArgumentParser:
    """Build the parser of `framelight backbones import`."""
    command = CommandParser(
        "framelight backbones import",
        usage="framelight backbones import FILE --name NAME ...",
        description=DESCRIPTION,
        parents=[store(), debug()],
    )
    command._negative_number_matcher = re.compile(r"-[\d.]")  # also of lists of numbers: --range -1,1
    command.set_defaults(module="backbones.import_weights")
    command.add_argument("file", type=path, metavar="FILE", help="the file of weights")
    command.add_argument("--name", required=True, metavar="NAME", help="name of the backbone in recipes")
    _add_pixels(command.add_argument_group("preprocessing", "what the network expects, as its authors state it"))
    _add_outputs(command.add_argument_group("outputs"))
    card = command.add_argument_group("card")
    card.add_argument("--licence", "--license", metavar="TEXT", help="license of the weights")
    card.add_argument("--source", metavar="TEXT", help="source of the weights (default: the name of the file)")
    return command


def _add_pixels(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--like",
        choices=tuple(KNOWN_FORMATS),
        help="take what the other options do not state from published networks: `imagenet` (timm, torchvision), "
        "`vggface2` (the VGGFace2 networks of HSE_FaceRec_tf: BGR from 0 to 255 minus 103.939,116.779,123.68) or "
        "`hsemotion` (HSEmotion and EmotiEffLib, with their class order)",
    )
    group.add_argument("--mean", type=numbers, metavar="A,B,C", help="mean, in the channel order of the network")
    group.add_argument("--std", type=numbers, metavar="A,B,C", help="standard deviation (one number: for all channels)")
    group.add_argument(
        "--range", type=numbers, metavar="LOW,HIGH", help="values of black and white before mean and std, such as 0,255"
    )
    group.add_argument("--channels", choices=CHANNELS, help="channel order of the network")
    group.add_argument(
        "--layout", choices=LAYOUTS, help="layout of the input of a graph, where its shape does not show it"
    )
    group.add_argument(
        "--interpolation",
        choices=INTERPOLATIONS,
        metavar="NAME",
        help=f"resizing of the crops: {', '.join(INTERPOLATIONS)} (default: bilinear)",
    )
    group.add_argument("--align", choices=ALIGNMENTS, help="alignment of the faces by their landmarks (default: none)")
    group.add_argument(
        "--size",
        type=positive_int,
        metavar="N",
        help="height and width of the input, where the file does not fix it or the graph also runs at others",
    )


def _add_outputs(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--classes",
        type=comma_separated,
        metavar="A,B,...",
        help="names of the scores in column order; `none` leaves them unnamed. Needed for 7 to 10 scores",
    )
    group.add_argument(
        "--embedding",
        metavar="NAME",
        help="output, or tensor within the graph, that is the embedding (default: by width and name; if the graph "
        "outputs scores only, the input of its classifier)",
    )
    group.add_argument(
        "--scores", metavar="NAME", help="output that is the scores; `none` for no scores (default: by width and name)"
    )
    group.add_argument(
        "--architecture",
        metavar="ARCH",
        help="name of a backbone or timm model (default: determined from names and shapes of the tensors)",
    )


def numbers(text: str) -> tuple[float, ...]:
    """Parse numbers separated by commas."""
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers separated by commas") from None


def remove_parser() -> argparse.ArgumentParser:
    """Build the parser of `framelight backbones remove`."""
    command = CommandParser(
        "framelight backbones remove",
        description="remove a trained or imported backbone from the store; runs that used it and cached features stay",
        parents=[store(), debug()],
    )
    command.set_defaults(module="backbones.remove")
    command.add_argument("name", metavar="NAME", help="the backbone")
    return command
