"""Run a fit with Lightning's Trainer and return the selected weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from harness.training import checkpoints, fast_loop, trainer_options
from harness.training.fit import Batch, Batches, FitResult, LazyBatches, Selection
from harness.training.lightning_module import FrameModel, SIGTERMException, make_trainer, spawns_processes


def fit(
    model: FrameModel, batches: Batches, trainer: Mapping[str, Any] | None = None, checkpoint: Path | None = None
) -> FitResult:
    """Train a model and return the weights of the selected epoch.

    Parameters
    ----------
    model : FrameModel
        Trained in place, unless the Trainer spawns processes.
    batches : callable
        `batches(epoch, shard)` yields the batches of an epoch, counted from 0, for one process.
    trainer : mapping, optional
        Arguments of Lightning's Trainer. They replace the defaults (CPU, one device, deterministic, silent).
    checkpoint : Path, optional
        File that is written after each epoch. If it exists, the fit resumes from it and gives the same bits as an
        uninterrupted fit.

    Returns
    -------
    FitResult

    Raises
    ------
    FramelightError
        If the loss or the outputs stop being finite, or the checkpoint is damaged or belongs to a different fit.
    InputError
        If this machine lacks the accelerator, the devices or the precision.
    """
    config = model.optimizer_config
    options = trainer_options.make_trainer_options(config, trainer or {})
    with (
        trainer_options.suppress_lightning_output(),
        trainer_options.propagate_signals(SIGTERMException),
        trainer_options.train_mode(model, model.backbone if model.frozen else None),
        tempfile.TemporaryDirectory() as temp_dir,
    ):
        lightning = make_trainer(options)
        spawned = spawns_processes(lightning)
        path = Path(checkpoint) if checkpoint else Path(temp_dir) / "last.ckpt" if spawned else None
        resumed_from = path if path and path.exists() else None
        if resumed_from and checkpoints.is_finished(
            fitted := checkpoints.load_fit_result(resumed_from, config, model.state_dict()), config
        ):
            return fitted
        model.checkpoint = path
        model.automatic_optimization = not fast_loop.can_use_fast_loop(model, options)
        lightning.fit(
            model,
            LazyBatches(partial(_epoch_batches, model, batches)),
            LazyBatches(partial(_selection_batches, model, model.selection)) if model.selection else None,
            ckpt_path=resumed_from,
            weights_only=True,
        )
        if not spawned:
            return model.fitted
        assert path is not None
        return checkpoints.load_fit_result(path, config, model.state_dict())


def _epoch_batches(model: FrameModel, batches: Batches) -> Iterable[Batch] | list[Iterable[Batch]]:
    """Return the batches of the current epoch; for the fast loop, all of them as one item."""
    epoch_batches = batches(model.epoch, model.shard)
    return epoch_batches if model.automatic_optimization else [epoch_batches]


def _selection_batches(model: FrameModel, selection: Selection) -> Iterable[Tensor]:
    return selection.batches(model.shard)
