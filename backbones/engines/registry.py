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
class Kind:
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


def native(backbone: Backbone) -> str:
    """The engine that needs no preparation and does the arithmetic that others are held against."""
    return "onnxruntime" if isinstance(backbone.network, OnnxNetwork) else "torch channels-last"


def usable(name: str, backbone: Backbone, precision: str) -> bool:
    """Whether the engine is there and runs this backbone in this precision."""
    try:
        require(name, backbone, precision)
    except BackboneError:
        return False
    return True


def require(name: str, backbone: Backbone, precision: str) -> None:
    """BackboneError that says what to do, unless the engine is there and runs this backbone in this precision."""
    if name not in KINDS:
        raise unknown_name_error("engine", name, KINDS)
    if precision not in PRECISIONS:
        raise unknown_name_error("precision", precision, PRECISIONS)
    kind = KINDS[name]
    if isinstance(backbone.network, OnnxNetwork) and not kind.foreign:
        others = [other for other, there in KINDS.items() if there.foreign and not there.absent()]
        raise BackboneError(f"{name} cannot run {backbone.label}, which came as an ONNX file",
                            f"use {' or '.join(others)}")
    if precision not in kind.precisions:
        others = [other for other, there in KINDS.items() if precision in there.precisions and not there.absent()
                  and (there.foreign or not isinstance(backbone.network, OnnxNetwork))]
        raise BackboneError(f"{name} does not compute in {precision}",
                            f"use {' or '.join(others)}" if others else "use float32; nothing else here computes in it")
    todo = kind.absent()
    if todo:
        raise BackboneError(f"the engine {name} is not available here", todo)


def _torch(channels_last: bool) -> Callable[[Backbone, Path, int, str], Engine]:
    def opened(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
        from backbones.engines.torch_engine import TorchEngine

        return TorchEngine(backbone, channels_last, precision)

    return opened


def _onnxruntime(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.onnx_engine import OnnxEngine, exported

    return OnnxEngine(exported(backbone, cache))


def _openvino(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.onnx_engine import exported
    from backbones.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(exported(backbone, cache), backbone.spec.input_size, batch, precision)


def _cuda(backbone: Backbone, cache: Path, batch: int, precision: str) -> Engine:
    from backbones.engines.cuda_engine import CudaEngine
    from backbones.engines.onnx_engine import unexportable

    try:
        return CudaEngine(backbone, batch, precision)
    except RuntimeError as error:  # others may fill its memory; its driver may be too old
        raise unexportable(backbone, "cuda", error) from error


def _nothing() -> str:
    return ""


def _installed(module: str, hint: str) -> Callable[[], str]:
    return lambda: "" if find_spec(module) else hint


def _gpu() -> str:
    import torch

    return "" if torch.cuda.is_available() else "it needs an NVIDIA GPU and a torch built for CUDA"


KINDS = {
    "cuda": Kind(("float32", "bf16", "fp16"), 5.0, _cuda, _gpu),
    "onnxruntime": Kind(("float32",), 6.0, _onnxruntime, _installed("onnxruntime", "pip install onnxruntime"), True),
    "torch channels-last": Kind(("float32", "bf16"), 0.0, _torch(True), _nothing),
    "openvino": Kind(("float32", "bf16"), 8.0, _openvino,
                     _installed("openvino", "pip install 'framelight[openvino]'"), True),
    "torch": Kind(("float32", "bf16"), None, _torch(False), _nothing),
}
PREFERENCE = tuple(KINDS)
"""Of two that are about as fast, the earlier is chosen: the choice is then the same at every measurement."""
