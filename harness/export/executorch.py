"""ExecuTorch format, PyTorch's runtime for phones: one crop of fixed size per call, run by XNNPACK on the CPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import printable
from harness.export.formats import Model, file_name
from harness.export.quiet import conversion, suppress_output
from harness.export.single_crop import single_crop_model
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

    from harness.export.network import ExportNetwork

NAMES_METHOD, FORWARD_METHOD = "names", "forward"
"""Methods of a file: `names` returns the output names, separated by spaces; `forward` returns the outputs."""
BACKBONE, FLOAT_MODULE = "backbone", "LocalContrast"
"""The submodule that is quantized to int8, and the layer in it that stays float32: LocalContrast divides by a standard
deviation that int8 would round to zero."""


class ExecuTorch:
    """ExecuTorch files (.pte).

    int8 quantization is static: the backbone's weights are quantized per channel and its activations per tensor; the
    heads stay float32. There is no float16: XNNPACK on x86 stores float16 weights as float32, so the file would not be
    smaller.
    """

    name, suffix = "executorch", ".pte"
    precisions: tuple[str, ...] = ("float32", "int8")
    packages: tuple[str, ...] = ("executorch", "torch", "numpy", "pillow")
    runtime = "executorch.runtime"
    example = (
        "torch, executorch.runtime as runtime",
        'method = runtime.Runtime.get().load_program(file).load_method("forward")\n'
        "outputs = method.execute([torch.from_numpy(crop)])[0][0].numpy()",
    )

    def missing(self) -> str:
        """Return what to install so that the format can be written, or "" if nothing is missing."""
        return "" if find_spec("executorch") else "pip install executorch (or 'framelight[deploy]')"

    def any_size(self, network: ExportNetwork) -> bool:
        """Return False: the input size is fixed."""
        return False

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write a model file; see `Format.write`."""
        path = Path(folder) / file_name(self, precision)
        with conversion(network, "ExecuTorch", precision):
            program = _export_program(network, embedding)
            if precision == "int8":
                program = _quantize(program, calibration)
            model = _lower(program, network.outputs(embedding))
        path.write_bytes(model)
        return path

    def open(self, path: Path, threads: int = 1) -> Model:
        """Open a model file; `threads` applies to every ExecuTorch file of this process from now on."""
        import torch

        try:
            with suppress_output():
                from executorch.extension.pybindings import portable_lib
                from executorch.runtime import Runtime

                portable_lib._unsafe_reset_threadpool(threads)
                program = Runtime.get().load_program(path)
                names = program.load_method(NAMES_METHOD).execute([])[0].split()
                method = program.load_method(FORWARD_METHOD)
        except (ValueError, RuntimeError, KeyError) as error:
            raise FramelightError(
                f"ExecuTorch cannot open {path} ({printable(str(error))}); export it again"
            ) from error
        size = method.metadata.input_tensor_meta(0).sizes()[1]
        return single_crop_model(
            path,
            size,
            lambda crop: {name: value.numpy() for name, value in zip(names, method.execute([torch.from_numpy(crop)]))},
        )

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return the files that the export consists of: only `path`."""
        return (path,)


def _export_program(network: ExportNetwork, embedding: bool) -> ExportedProgram:
    import torch

    from harness.export.network import torch_module

    crops = torch.zeros((1, network.size, network.size, 3), dtype=torch.uint8)
    return torch.export.export(torch_module(network, embedding), (crops,))


def _quantize(program: ExportedProgram, calibration: np.ndarray) -> ExportedProgram:
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # type: ignore[import-not-found]

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    observed = prepare_pt2e(program.module(), quantizer.set_filter_function(_is_quantized))
    crops = torch.from_numpy(calibration).split(1)
    with torch.no_grad():
        for crop in crops:
            observed(crop)
    return torch.export.export(convert_pt2e(observed), (crops[0],))


def _is_quantized(node: Node) -> bool:
    if node.op == "get_attr":
        return str(node.target).startswith(f"{BACKBONE}.")
    modules = [(path, str(kind)) for path, kind in (node.meta.get("nn_module_stack") or {}).values()]
    return any(path == BACKBONE for path, _ in modules) and not any(FLOAT_MODULE in kind for _, kind in modules)


def _lower(program: ExportedProgram, names: tuple[str, ...]) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(
        program, partitioner=[XnnpackPartitioner()], constant_methods={NAMES_METHOD: " ".join(names)}
    )
    return edge.to_executorch().buffer


FORMAT = ExecuTorch()
