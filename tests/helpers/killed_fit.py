"""A fit with all options in a process that kills itself after an epoch: `killed.py CHECKPOINT EPOCH`."""

import os
import signal
import sys
from pathlib import Path

from harness.training.fit import Selection
from tests.helpers.small_fits import BY_ACCURACY, fitted

EVERYTHING = {
    "sharpness": 0.05,
    "average": 0.8,
    "clip": 1.0,
    "weight_decay": 0.01,
    "warmup": 0.2,
    "epochs": 5,
    "learning_rate": 0.01,
}


def dying(at: int) -> Selection:
    def told(epoch: int, value: float) -> bool:
        if epoch == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return False

    return Selection(BY_ACCURACY.batches, BY_ACCURACY.score, on_epoch=told)


if __name__ == "__main__":
    fitted(checkpoint=Path(sys.argv[1]), selection=dying(int(sys.argv[2])), **EVERYTHING)
