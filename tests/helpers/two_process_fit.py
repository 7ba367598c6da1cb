"""Fits on two processes, each leaving what it saw in a folder: `several.py FOLDER STRATEGY [KILLED_AT] [BATCH]`."""

import os
import signal
import sys
from pathlib import Path

import torch

from harness.training.fit import Selection
from tests.helpers.small_fits import BATCH, BY_ACCURACY, batches, fitted

FOLDER, STRATEGY = Path(sys.argv[1]), sys.argv[2]
KILLED_AT, SIZE = (int(given) for given in (*sys.argv[3:], *(0, BATCH)[len(sys.argv) - 3 :]))
SEVERAL = {"accelerator": "cpu", "devices": 2, "strategy": STRATEGY}
PLAIN = {"norm": False, "dropout": 0.0, "epochs": 4}
FULL = {"sharpness": 0.05, "average": 0.8, "clip": 1.0, "epochs": 4}


def told(epoch: int, value: float) -> bool:
    with (FOLDER / f"told-{os.environ.get('LOCAL_RANK', '0')}").open("a") as file:
        file.write(f"{epoch}\n")
    if epoch == KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return False


def draw(epoch, part):
    return batches(epoch, part, SIZE)


if __name__ == "__main__":
    TOLD = Selection(BY_ACCURACY.batches, BY_ACCURACY.score, on_epoch=told)
    results = [
        vars(fitted(SEVERAL, draw=draw, selection=BY_ACCURACY, **PLAIN)),
        vars(fitted(SEVERAL, FOLDER / "last.ckpt", selection=TOLD, **FULL)),
    ]
    torch.save(results, FOLDER / f"results-{os.environ.get('LOCAL_RANK', '0')}.pt")
