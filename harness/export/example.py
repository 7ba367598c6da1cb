"""example.py of an export: ten lines that run the file without Framelight, with the format's own package."""

from __future__ import annotations

from harness.export.formats import Format

HEAD = '''# pip install {packages}
# python example.py FACE.jpg [FILE]: what the exported file says of one face crop
import json, sys
import numpy as np
from PIL import Image
{imports}
card = json.load(open(__file__.replace("example.py", "card.json")))
file = __file__.replace("example.py", sys.argv[2] if len(sys.argv) > 2 else card["files"][0]["file"])
crop = np.asarray(Image.open(sys.argv[1]).convert("RGB").resize([card["input"]["size"]] * 2, Image.{filter}))[None]
{run}
for block in card["outputs"]["blocks"]:
    values = outputs[block["from"]:block["to"]]
    best = block["columns"][values.argmax()] if block["activation"] == "softmax" else ""
    print(block["name"], best, dict(zip(block["columns"], values.round(4).tolist())))
'''
RUNS = {
    "onnx": ("import onnxruntime",
             'outputs = onnxruntime.InferenceSession(file).run(["outputs"], {"crops": crop})[0][0]'),
    "openvino": ("import openvino",
                 'model = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})\n'
                 'outputs = model({"crops": crop})["outputs"][0]'),
    "litert": ("from ai_edge_litert.interpreter import Interpreter",
               'outputs = Interpreter(file).get_signature_runner()(crops=crop)["outputs"][0]'),
    "executorch": ("import torch\nfrom executorch.runtime import Runtime",
                   'method = Runtime.get().load_program(file).load_method("forward")\n'
                   "outputs = method.execute([torch.from_numpy(crop.copy())])[0][0].numpy()"),
}
FILTERS = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}


def example(form: Format, interpolation: str) -> str:
    """The text of example.py; interpolation: of the backbone's preprocessing."""
    imports, run = RUNS[form.name]
    return HEAD.format(packages=" ".join(form.packages), imports=imports, run=run, filter=FILTERS[interpolation])
