"""Text of `example.py`, a short script that runs an exported file without Framelight."""

from __future__ import annotations

from harness.export.formats import Format

TEMPLATE = """# pip install {packages}
# python example.py FACE.jpg [FILE]: print the outputs of an exported file for one face crop
{before}import json, os, sys, PIL.Image, PIL.ImageOps, numpy as np, {imports}
here = os.path.dirname(os.path.abspath(__file__))
card = json.load(open(os.path.join(here, "card.json")))
file = os.path.join(here, sys.argv[2] if len(sys.argv) > 2 else card["files"][0]["file"])
face = PIL.ImageOps.exif_transpose(PIL.Image.open(sys.argv[1])).convert("RGB")
crop = np.array(face.resize([card["input"]["size"]] * 2, PIL.Image.{filter}))[None]
{run}
for block in card["outputs"]["blocks"]:
    values = dict(zip(block["columns"], outputs[block["from"]:block["to"]].astype(float).round(4).tolist()))
    print(block["name"], max(values, key=values.get) if block["activation"] == "softmax" else "", values)
"""
NO_TELEMETRY = """import os; os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # ONNX Runtime reports nothing to its vendor
"""
FILTERS = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}


def example_script(form: Format, interpolation: str) -> str:
    """Make the text of example.py for a format and the interpolation of the backbone's preprocessing."""
    imports, run = form.example
    return TEMPLATE.format(
        packages=" ".join(form.packages),
        before=NO_TELEMETRY if form.runtime == "onnxruntime" else "",
        imports=imports,
        run=run,
        filter=FILTERS[interpolation],
    )
