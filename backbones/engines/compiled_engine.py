"""A torch network compiled ahead of time for one processor and one batch size, its weights frozen in."""

from __future__ import annotations

import copy
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch

from backbones.engines.allocator import keep_memory_for
from backbones.engines.identity import identity, processor
from backbones.engines.kept import kept_file
from backbones.engines.onnx_engine import quiet, unexportable
from backbones.engines.shared_library import SharedLibrary
from backbones.pieces import in_pieces

if TYPE_CHECKING:
    from backbones.backbone import Backbone

MODEL = "model.so"
SETTINGS = {"freezing": True, "cpp.threads": 1}


def compiler() -> str | None:
    """The C++ compiler that torch would use; None where there is none."""
    return shutil.which(os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++"))


class CompiledEngine:
    """Float32 on one core a call; compiled into `cache` (10 to 40 s) when that has no sound library of these weights.

    BackboneError when the network cannot be compiled.
    """

    name, precision, concurrent = "torch compiled", "float32", True

    def __init__(self, backbone: Backbone, cache: Path, batch: int) -> None:
        self.batch = batch
        about = {"backbone": identity(backbone), "torch": torch.__version__, "batch": batch, "processor": processor()}
        path, self.source = kept_file(Path(cache) / f"compiled-{identity(backbone)}-{batch}", MODEL, about,
                                      lambda path: _compile(backbone, batch, path))
        try:
            self.run = SharedLibrary(path, outputs=2, callers=os.cpu_count() or 1)
        except OSError as error:
            raise unexportable(backbone, self.name, error) from error
        keep_memory_for(self)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return in_pieces(pixels, self.batch, self._run)

    def _run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            embeddings, scores = self.run(torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last))
        return embeddings.numpy(), scores.numpy()


def _compile(backbone: Backbone, batch: int, path: Path) -> None:
    size, plain = backbone.spec.input_size, copy.deepcopy(backbone).eval().to(memory_format=torch.channels_last)
    pixels = torch.zeros(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    try:
        with torch.no_grad(), quiet(), TemporaryDirectory(dir=path.parent) as folder:
            aside = Path(folder)
            program = torch.export.export(plain, (pixels,)).module()
            torch._inductor.aot_compile(program, (pixels,),
                                        options={**SETTINGS, "aot_inductor.output_path": str(aside / MODEL)})
            os.replace(aside / MODEL, path)
    except OSError:
        raise
    except Exception as error:  # the compiler's own exceptions have no common base
        raise unexportable(backbone, "torch compiled", error) from error
