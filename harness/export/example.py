"""Text of `example.py`, a short script that runs an exported file without Framelight."""

from __future__ import annotations

import textwrap

from harness.export.formats import Format

TEMPLATE = """# pip install {packages}
# python example.py FACE.jpg [FILE]: print the outputs of an exported file for one face crop
{before}import argparse, json, os
parser = argparse.ArgumentParser(description="Print the outputs of an exported file for one face crop.")
parser.add_argument("face", metavar="FACE.jpg", help="an image of one face")
parser.add_argument("file", metavar="FILE", nargs="?", help="an exported file (default: the first of card.json)")
arguments = parser.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
try:
    import PIL.Image, PIL.ImageOps, numpy as np, {imports}
    card = json.load(open(os.path.join(here, "card.json")))
except (ImportError, OSError, ValueError) as error:
    parser.error(f"{{error}}; needs card.json beside this script, and: pip install {packages}")
files = {{entry["file"]: os.path.join(here, entry["file"]) for entry in card["files"]}}
def is_same(path, other):
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)
paths = [path for name, path in files.items() if arguments.file in (None, name) or is_same(arguments.file, path)]
if not paths:
    parser.error(f"no exported file {{arguments.file}}; use one of: {{', '.join(files)}}")
try:
    face = PIL.ImageOps.exif_transpose(PIL.Image.open(arguments.face)).convert("RGB")
except Exception as error:
    why = getattr(error, "strerror", None) or "not an image that Pillow can read"
    parser.error(f"cannot read {{arguments.face}}: {{why}}")
file = paths[0]
crop = np.array(face.resize([card["input"]["size"]] * 2, PIL.Image.{filter}))[None]
try:
{run}
except Exception as error:
    parser.error(f"cannot run {{file}}: {{error}}")
for block in card["outputs"]["blocks"]:
    numbers = outputs[block["from"]:block["to"]].astype(float).round(4) + 0.0
    values = dict(zip(block["columns"], numbers.tolist()))
    print(block["name"], max(values, key=values.get) if block["activation"] == "softmax" else "", values)
"""
NO_TELEMETRY = """import os; os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reports nothing to its vendor
"""
FILTERS = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}


def example_script(form: Format, interpolation: str) -> str:
    """Make the text of example.py for a format and the interpolation of the backbone's preprocessing.

    The script ends with a usage message and exit status 2 if the image, a package or the export cannot be read.
    """
    imports, run = form.example
    return TEMPLATE.format(
        packages=" ".join(form.packages),
        before=NO_TELEMETRY if form.runtime == "onnxruntime" else "",
        imports=imports,
        run=textwrap.indent(run, "    "),
        filter=FILTERS[interpolation],
    )
