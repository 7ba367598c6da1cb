"""TensorFlow.js graph models: `model.json` and a binary file, written without TensorFlow."""

import base64
import json

import numpy as np


def text(value):
    return {"s": base64.b64encode(value.encode()).decode()}


def ints(*values):
    return {"list": {"i": [str(value) for value in values]}}


def node(name, op, *inputs, **attributes):
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


def conv(name, op, *inputs, stride=1, padding="SAME", fused=(), **attributes):
    settings = {
        "strides": ints(1, stride, stride, 1),
        "dilations": ints(1, 1, 1, 1),
        "padding": text(padding),
        "data_format": text("NHWC"),
    }
    if fused:
        settings["fused_ops"] = {"list": {"s": [text(word)["s"] for word in fused]}}
    return node(name, op, *inputs, **settings, **attributes)


def image(size=8, channels=3):
    dims = [{"size": str(length)} for length in (-1, size, size, channels)]
    return node("input", "Placeholder", shape={"shape": {"dim": dims}})


def write_tfjs(folder, nodes, weights, outputs, quantization=None):
    """Write a model; `quantization` gives the entry of the manifest and the stored array of some weights by name."""
    entries, data = [], b""
    for name, values in weights.items():
        stored, extra = (quantization or {}).get(name, (values, {}))
        dtype = {"float32": "float32", "int64": "int32", "int32": "int32"}[str(values.dtype)]
        entries.append({"name": name, "shape": list(values.shape), "dtype": dtype, **extra})
        data += (stored.astype(np.int32) if stored.dtype == np.int64 else stored).tobytes()
    content = {
        "format": "graph-model",
        "signature": {"outputs": {name: {"name": f"{name}:0"} for name in outputs}},
        "modelTopology": {"node": [*(node(name, "Const") for name in weights), *nodes], "library": {}},
        "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": entries}],
    }
    folder.mkdir(exist_ok=True)
    (folder / "a.bin").write_bytes(data[: len(data) // 2])
    (folder / "b.bin").write_bytes(data[len(data) // 2 :])
    (folder / "model.json").write_text(json.dumps(content, indent=1))
    return folder / "model.json"
