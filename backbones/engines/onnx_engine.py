"""ONNX Runtime engine for imported ONNX models and for exports of torch backbones."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from backbones.engines.cache import cached_file
from backbones.engines.fingerprint import backbone_fingerprint
from backbones.errors import BackboneError, printable
from backbones.onnx_metadata import strip_metadata
from backbones.onnx_network import OnnxNetwork, Ports
from backbones.quiet_loggers import ROOT, quiet_loggers

if TYPE_CHECKING:
    from backbones.backbone import Backbone

MODEL = "model.onnx"
EXPORTER_LOGGERS = ("torch", "onnxscript", "onnx_ir", "onnxruntime", ROOT)
PORTS = Ports("pixels", "embeddings", "scores")
MAX_REASON_LENGTH = 300


class OnnxEngine:
    """Engine that runs ONNX Runtime in float32 on one core per call; all callers share one session.

    Parameters
    ----------
    network : OnnxNetwork
        The network to run.
    """

    name, precision, concurrent = "onnxruntime", "float32", True

    def __init__(self, network: OnnxNetwork) -> None:
        self.network = network
        self.source = network.weights_hash

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute embeddings and scores, see `Engine`."""
        return self.network.run(np.ascontiguousarray(pixels), threads=1)


def get_or_export_onnx(backbone: Backbone, cache: Path) -> OnnxNetwork:
    """Return the ONNX version of a backbone.

    Parameters
    ----------
    backbone : Backbone
        The backbone.
    cache : Path
        Folder of exports; a valid export of the same weights is reused.

    Returns
    -------
    OnnxNetwork
        The network of an ONNX backbone, or the export of a torch backbone.

    Raises
    ------
    BackboneError
        If the network cannot be exported or the export cannot be written.
    """
    if isinstance(backbone.network, OnnxNetwork):
        return backbone.network
    about = {"backbone": backbone_fingerprint(backbone), "torch": torch.__version__}
    path, digest = cached_file(
        Path(cache) / f"onnx-{backbone_fingerprint(backbone)}", MODEL, about, lambda path: _export(backbone, path)
    )
    widths = (backbone.embedding_width, backbone.score_width)
    return OnnxNetwork(path, PORTS, widths, sum(p.numel() for p in backbone.parameters()), digest)


def _export(backbone: Backbone, path: Path) -> None:
    """Write an ONNX model with a dynamic batch size and two outputs, the embeddings and the scores."""
    import onnx

    size = backbone.spec.input_size
    model = copy.deepcopy(backbone).eval().to(memory_format=torch.contiguous_format)
    try:
        with torch.no_grad(), suppress_exporter_output():
            program = torch.onnx.export(
                model,
                (torch.zeros(2, 3, size, size),),
                dynamo=True,
                verbose=False,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[PORTS.input],
                output_names=list(PORTS.outputs),
            )
            assert program is not None  # as documented for dynamo=True
            onnx.save(strip_metadata(program.model_proto), path)
    except OSError:
        raise
    except Exception as error:  # the exceptions of the exporter have no common base class
        raise unexportable_error(backbone, "onnxruntime", error) from error


def unexportable_error(backbone: Backbone, engine: str, error: Exception) -> BackboneError:
    """Return the error for a backbone that an engine cannot run, with the message of `error` as the reason."""
    reason = printable(" ".join(str(error).split()), MAX_REASON_LENGTH) or type(error).__name__
    return BackboneError(
        f"{backbone.label} cannot be prepared for {engine} ({reason})", "choose another engine with --engine NAME"
    )


@contextmanager
def suppress_exporter_output() -> Iterator[None]:
    """Suppress warnings, log messages and standard output of exporters and compilers."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), quiet_loggers(EXPORTER_LOGGERS, logging.WARNING):
        warnings.simplefilter("ignore")
        yield
