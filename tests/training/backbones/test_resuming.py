"""A killed training resumes and ends identically."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers.drawn_stills import draw

STAGES = ("identities-head", "identities-all", "expressions-head", "expressions-all")

DRIVER = '''
import json, os, signal, sys
from pathlib import Path
import harness.training.backbones.identities, harness.training.backbones.expressions, backbones.loading
from harness.data.image_table import ImageTable
from harness import Augmentation, Expressions, Hardware, Identities, Schedule, StillsConfig
from harness.training.backbones.train import train_stills

root, schedule = Path(sys.argv[1]), Schedule(2, 4e-3, head_epochs=2)
config = StillsConfig("tiny_mobilenet@random", Identities(schedule), Expressions(schedule, also=("va",)),
                      Augmentation(0.3, crop=0.7), batch_size=16, average=0.5, sam=0.05, threads=1)


def train(name, deadly=None):
    """A separate process, killed when it reports the second epoch of a stage."""
    def on_epoch(stage, epoch, values):
        print(name, stage, epoch, flush=True)
        if (stage, epoch) == (deadly, 2):
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        table = ImageTable(root / "table")
        train_stills(config, table.stills("train"), table.stills("validation"), root / name, on_epoch=on_epoch,
                     hardware=Hardware("cpu"), work=root / "work" / name)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) if deadly else status == 0, status


train("whole")
for stage in ("identities-head", "identities-all", "expressions-head", "expressions-all"):
    train("broken", stage)
    print("work", sorted(path.name for path in (root / "work" / "broken").iterdir()), flush=True)
train("broken")
'''


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("killed")
    draw(root / "table", each=8, annotated=True)
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(root)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root, done.stdout.splitlines()


def card(root, name):
    return json.loads((root / name / "card.json").read_text())


def test_resumed_training_equals_uninterrupted_training(runs):
    whole, broken = (card(runs[0], name) for name in ("whole", "broken"))
    assert whole["weights_hash"] == broken["weights_hash"]
    speeds = ("loading_images_per_second", "training_images_per_second")
    assert {k: v for k, v in whole["metrics"].items() if k not in speeds} == {
        k: v for k, v in broken["metrics"].items() if k not in speeds
    }


def test_saved_epochs_are_not_repeated(runs):
    told = [line.split()[1:] for line in runs[1] if line.startswith("broken")]
    # Killed as it tells of an epoch, that epoch alone is not kept yet.
    assert told == [[stage, epoch] for stage in STAGES for epoch in ("1", "2", "2")]


def test_each_finished_stage_leaves_its_weights_and_the_running_one_its_checkpoint(runs):
    left = [line for line in runs[1] if line.startswith("work")]
    for number, stage in enumerate(STAGES):
        assert f"'{stage}.ckpt'" in left[number] and f"'{stage}.safetensors'" not in left[number]
        for before in STAGES[:number]:
            assert f"'{before}.safetensors'" in left[number] and f"'{before}.ckpt'" not in left[number]
    assert not (runs[0] / "work" / "broken").exists()


TOGETHER = """
import sys
from pathlib import Path
from harness.data.image_table import ImageTable
from harness import Augmentation, Expressions, Hardware, Identities, Schedule, StillsConfig
from harness.training.backbones.train import train_stills
from harness.utils.console import console_logging

root = Path(sys.argv[1])
config = StillsConfig("tiny_mobilenet@random", Identities(Schedule(1)), Expressions(Schedule(1, head_epochs=1)),
                      Augmentation(0.3), batch_size=16, threads=1)
table = ImageTable(root / "table")
with console_logging(sys.stdout):
    trained = train_stills(config, table.stills("train"), table.stills("validation"), root / "together",
                           hardware=Hardware("cpu", devices="2"))
print("ended with", trained.metrics["expression_macro_f1"], trained.metrics["verification_auc"], flush=True)
"""


@pytest.mark.slow
def test_only_rank_zero_logs_and_writes(tmp_path):
    draw(tmp_path / "table")
    (tmp_path / "together.py").write_text(TOGETHER)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "together.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    ended = [line for line in lines if line.startswith("ended")]
    assert len(ended) == 2 and ended[0] == ended[1]
    assert sum("epoch 1 of 1" in line for line in lines) == 3
    metrics = card(tmp_path, "together")["metrics"]
    assert ended[0] == f"ended with {metrics['expression_macro_f1']} {metrics['verification_auc']}"
