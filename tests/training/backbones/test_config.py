import math

import pytest

from harness import Augmentation, Expressions, Hardware, Identities, Schedule, StillsConfig
from harness.utils.errors import InputError


@pytest.mark.parametrize(
    "kind, bad",
    [
        (Schedule, {"epochs": -1}),
        (Schedule, {"head_epochs": 1.5}),
        (Schedule, {"epochs": 0}),
        (Schedule, {"learning_rate": 0.0}),
        (Schedule, {"head_learning_rate": math.nan}),
        (Schedule, {"shape": "cosin"}),
        (Schedule, {"warmup": 1.0}),
        (Identities, {"images": 1}),
        (Identities, {"held_out": 0.0}),
        (Identities, {"held_out": 0.6}),
        (Identities, {"label_smoothing": 1.0}),
        (Identities, {"unseen": 1.0}),
        (Expressions, {"classes": 6}),
        (Expressions, {"also": ("va", "pose")}),
        (Expressions, {"sampling": "fair"}),
        (Expressions, {"weight_limit": 0.5}),
        (Expressions, {"weight_limit": math.nan}),
        (Expressions, {"keep": "loss"}),
        (Expressions, {"held_out": -0.1}),
        (Augmentation, {"strength": 1.5}),
        (Augmentation, {"geometry": -0.1}),
        (Augmentation, {"geometry": 4.1}),
        (Augmentation, {"geometry": math.nan}),
        (Augmentation, {"crop": 0.0}),
        (Augmentation, {"enlarge": 0.9}),
        (StillsConfig, {"margin": (0.1, -0.1)}),
        (StillsConfig, {"batch_size": 1}),
        (StillsConfig, {"weight_decay": -1.0}),
        (StillsConfig, {"clip": math.inf}),
        (StillsConfig, {"sam": -0.05}),
        (StillsConfig, {"average": 1.0}),
        (StillsConfig, {"precision": "16"}),
        (StillsConfig, {"threads": 0}),
        (StillsConfig, {"seed": -1}),
        (Hardware, {"accelerator": "gpus"}),
        (Hardware, {"devices": "0"}),
        (Hardware, {"nodes": 0}),
        (Hardware, {"strategy": "fsdp"}),
        (Hardware, {"accumulate": 0}),
        (Hardware, {"workers": -1}),
        (Hardware, {"memory_gb": -1.0}),
    ],
)
def test_impossible_settings_are_rejected_in_one_line(kind, bad):
    with pytest.raises(InputError, match=next(iter(bad))) as refused:
        kind(**bad)
    assert "\n" not in str(refused.value)


def test_no_stage_is_rejected():
    with pytest.raises(InputError, match="identities and expressions are both none"):
        StillsConfig(identities=None, expressions=None)


def test_blocks_beside_the_expression_come_in_one_order_and_a_name_alone_is_one_block():
    assert Expressions(also=("au", "va")).also == ("va", "au") and Expressions(also="va").also == ("va",)


def test_published_weights_have_no_limit():
    assert Expressions(weight_limit=math.inf).weight_limit == math.inf


def test_accumulated_batches_are_equal_parts_of_a_step():
    assert Hardware(accumulate=4).batch(32) == 8
    for size in (30, 4):
        with pytest.raises(InputError, match="accumulate=4 does not divide a batch_size of"):
            Hardware(accumulate=4).batch(size)


def test_trainer_gets_the_hardware():
    told = Hardware("cpu", "2", 3, "ddp", 4).trainer_arguments("bf16-mixed")
    assert told == {
        "accelerator": "cpu",
        "devices": 2,
        "num_nodes": 3,
        "strategy": "ddp",
        "accumulate_grad_batches": 4,
        "precision": "bf16-mixed",
    }
    assert Hardware(devices="auto").trainer_arguments("32-true")["devices"] == "auto"
