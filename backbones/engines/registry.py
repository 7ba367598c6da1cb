"""The engines there are, and which of them can run a backbone here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.engines.engine import PRECISIONS, Engine
from backbones.errors import BackboneError, unknown_name_error
from backbones.onnx_network import OnnxNetwork

if TYPE_CHECKING:
    from backbones.backbone import Backbone


@dataclass(frozen=True)
class EngineSpec:
    """One engine.

    precisions: of PRECISIONS. preparation: about how many seconds it takes to make what it runs; None for one that is
    only opened by name. open: (backbone, cache, batch, precision) -> Engine. absent: what to do for it to be there,
    "" where it is. foreign: whether it runs a network that came as an ONNX file.
    """

    precisions: tuple[str, ...]
    preparation: float | None
    open: Callable[[Backbone, Path, int, str], Engine]
    absent: Callable[[], str]
    foreign: bool = False


def native_engine(backbone: Backbone) -> str:
    """The engine that needs no preparation and does the arithmetic that others are held against."""
    return "onnxruntime" if isinstance(backbone.network, OnnxNetwork) else "torch channels-last"


def is_usable(name: str, backbone: Backbone, precision: str) -> bool:
    """Whether the engine is there and runs this backbone in this precision."""
    try:
        require_engine(name, backbone, precision)
    except BackboneError:
        return False
    return True


def require_engine(name: str, backbone: Backbone, precision: str) -> None:
    """BackboneError that says what to do, unless the engine is there and runs this backbone in this precision."""
    if name not in ENGINES:
        raise unknown_name_error("engine", name, ENGINES)
    if precision not in PRECISIONS:
        raise unknown_name_error("precision", precision, PRECISIONS)
    kind = ENGINES[name]
    if isinstance(backbone.network, OnnxNetwork) and not kind.foreign:
        others = [other for other, there in ENGINES.items() if there.foreign and not there.absent()]
        raise BackboneError(
            f"{name} cannot run {backbone.label}, which came as an ONNX file", f"use {' or '.join(others)}"
        )
    if precision not in kind.precisions:
        others = [
            other
            for other, there in ENGINES.items()
            if precision in there.precisions
            and not there.absent()
            and (there.foreign or not isinstance(backbone.network, OnnxNetwork))
        ]
        raise BackboneError(
            f"{name} does not compute in {precision}",
            f"use {' or '.join(others)}" if others else "use float32; nothing else here computes in it",
        )
    todo = kind.absent()
    if todo:
        raise BackboneError(f"the engine {name} is not available here", todo)


def _torch_opener(channels_last: bool) -> Callable[[Backbone, Path, int, str], Engine]:
    def open_torch(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
        from backbones.engines.torch_engine import TorchEngine

        return TorchEngine(backbone, channels_last, precision)

    return open_torch


def _open_onnxruntime(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.onnx_engine import OnnxEngine, get_or_export_onnx

    return OnnxEngine(get_or_export_onnx(backbone, cache))


def _open_openvino(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.onnx_engine import get_or_export_onnx
    from backbones.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(get_or_export_onnx(backbone, cache), backbone.spec.input_size, batch, precision)


def _open_cuda(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.cuda_engine import CudaEngine
    from backbones.engines.onnx_engine import unexportable_error

    try:
        return CudaEngine(backbone, batch, precision)
    except RuntimeError as error:  # others may fill its memory; its driver may be too old
        raise unexportable_error(backbone, "cuda", error) from error


def _no_hint() -> str:
    return ""


def _missing_module_hint(module: str, hint: str) -> Callable[[], str]:
    return lambda: "" if find_spec(module) else hint


def _missing_gpu_hint() -> str:
    import torch

    return "" if torch.cuda.is_available() else "it needs an NVIDIA GPU and a torch built for CUDA"


ENGINES = {
    "cuda": EngineSpec(("float32", "bf16", "fp16"), 5.0, _open_cuda, _missing_gpu_hint),
    "onnxruntime": EngineSpec(
        ("float32",), 6.0, _open_onnxruntime, _missing_module_hint("onnxruntime", "pip install onnxruntime"), True
    ),
    "torch channels-last": EngineSpec(("float32", "bf16"), 0.0, _torch_opener(True), _no_hint),
    "openvino": EngineSpec(
        ("float32", "bf16"),
        8.0,
        _open_openvino,
        _missing_module_hint("openvino", "pip install 'framelight[openvino]'"),
        True,
    ),
    "torch": EngineSpec(("float32", "bf16"), None, _torch_opener(False), _no_hint),
}
PREFERENCE = tuple(ENGINES)
"""Of two that are about as fast, the earlier is chosen: the choice is then the same at every measurement."""
