"""Small exports with a real ONNX file, for tests of the MLflow registry."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness.export.registry.mlflow_registry import CARD, EXAMPLE, FILE
from harness.tracking import open_tracker
from harness.utils.store import Store


def write_export(folder, seed=0, side=None, record=None):
    """The mean colour of a crop through a linear layer and a softmax; side: the only one it takes."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(seed).normal(0, 0.02, (3, 8)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["crops"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["outputs"], axis=1),
        helper.make_node("Identity", ["outputs"], ["expression"]),
    ]
    sides = [side, side] if side else ["height", "width"]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["batch", *sides, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 8]) for name in ("outputs", "expression")],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / FILE)
    files = [{"precision": "float32", "file": FILE}, {"precision": "int8", "file": "model-int8.onnx"}]
    (folder / CARD).write_text(json.dumps({"task": "expr", "files": files}))
    (folder / EXAMPLE).write_text("print('a face')\n")
    return folder


def track(store, records, uri=None):
    """Log jobs whose folders are in the store."""
    tracker = open_tracker(Store(store, uri))
    study = tracker.start_study("small", "s")
    for record in records:
        tracker.log_record(record, store / "artifacts" / "jobs" / record.job_id, study)


def outputs_of(folder, crops):
    """What the file of an export gives, by ONNX Runtime itself."""
    from onnxruntime import InferenceSession

    return InferenceSession(folder / FILE).run(["outputs"], {"crops": crops})[0]


def some_crops(count=3, side=20):
    return np.random.default_rng(7).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
