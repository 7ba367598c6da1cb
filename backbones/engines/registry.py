"""Registry of engines, and checks whether they can run a backbone on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.engines.engine import PRECISIONS, Engine, require_engine_name
from backbones.errors import BackboneError, unknown_name_error
from backbones.onnx_network import OnnxNetwork

if TYPE_CHECKING:
    from backbones.backbone import Backbone


@dataclass(frozen=True)
class EngineSpec:
    """Properties of an engine.

    Attributes
    ----------
    precisions : tuple of str
        Supported precisions, a subset of `PRECISIONS`.
    preparation : float or None
        Approximate seconds to export or compile a network; None if the engine is never selected automatically.
    open : callable
        Maps (backbone, cache, batch, precision) to an `Engine`.
    absent : callable
        Returns how to make the engine available, or "" if it is available.
    foreign : bool
        Whether the engine can run a network imported from an ONNX file.
    """

    precisions: tuple[str, ...]
    preparation: float | None
    open: Callable[[Backbone, Path, int, str], Engine]
    absent: Callable[[], str]
    foreign: bool = False


def native_engine(backbone: Backbone) -> str:
    """Return the name of the default engine of a backbone, which needs no preparation and no check of its outputs."""
    return "onnxruntime" if isinstance(backbone.network, OnnxNetwork) else "torch channels-last"


def is_usable(name: str, backbone: Backbone, precision: str) -> bool:
    """Return whether an engine is available and can run a backbone in a precision."""
    try:
        require_engine(name, backbone, precision)
    except BackboneError:
        return False
    return True


def require_engine(name: str, backbone: Backbone, precision: str) -> None:
    """Check that an engine is available and can run a backbone.

    Parameters
    ----------
    name : str
        Name of the engine.
    backbone : Backbone
        The backbone.
    precision : str
        One of `PRECISIONS`.

    Raises
    ------
    BackboneError
        If the engine or the precision is unknown, or if the engine is not available or cannot run the backbone in
        this precision.
    """
    require_engine_name(name)
    if precision not in PRECISIONS:
        raise unknown_name_error("precision", precision, PRECISIONS)
    engine = ENGINES[name]
    is_onnx = isinstance(backbone.network, OnnxNetwork)
    if is_onnx and not engine.foreign:
        alternatives = [other for other, spec in ENGINES.items() if spec.foreign and not spec.absent()]
        raise BackboneError(
            f"{name} cannot run {backbone.label}, which was imported from an ONNX file",
            f"use {' or '.join(alternatives)}",
        )
    if precision not in engine.precisions:
        alternatives = [
            other
            for other, spec in ENGINES.items()
            if precision in spec.precisions and not spec.absent() and (spec.foreign or not is_onnx)
        ]
        raise BackboneError(
            f"the engine {name} does not support {precision}",
            f"use {' or '.join(alternatives)}"
            if alternatives
            else f"no available engine supports {precision}; use float32",
        )
    remedy = engine.absent()
    if remedy:
        raise BackboneError(f"the engine {name} is not available here", remedy)


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
    except RuntimeError as error:  # such as out of memory, or a driver that is too old
        raise unexportable_error(backbone, "cuda", error) from error


def _no_hint() -> str:
    return ""


def _missing_module_hint(module: str, hint: str) -> Callable[[], str]:
    return lambda: "" if find_spec(module) else hint


def _missing_gpu_hint() -> str:
    import torch

    return "" if torch.cuda.is_available() else "it needs an NVIDIA GPU and a CUDA build of torch"


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
"""Order of preference: of engines with about equal throughput, the first is selected, so that the choice is stable."""
