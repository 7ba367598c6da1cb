"""Head configurations and their overrides."""

import dataclasses
import json

import pytest

from harness import HeadConfig, HeadOverride
from harness.metrics.tasks import get_task
from harness.training.heads.config import check_task_support
from harness.utils.errors import InputError
from harness.utils.hashing import to_jsonable

ABAW4 = HeadConfig(
    "separate",
    hidden=0,
    l2=1 / 512,
    batch_size=512,
    keep="loss",
    parts=(
        HeadOverride("expr", keep="accuracy"),
        HeadOverride("va", features="scores", epochs=20),
        HeadOverride("au", hidden=128, l2=0.0),
    ),
)
"""The separate networks of the fourth challenge (Savchenko 2022)."""


def test_override_replaces_only_its_fields():
    assert ABAW4.part("expr") == HeadConfig("logistic_regression", l2=1 / 512, batch_size=512, keep="accuracy")
    assert ABAW4.part("va") == HeadConfig("logistic_regression", l2=1 / 512, batch_size=512, keep="loss", epochs=20)
    assert ABAW4.part("au") == HeadConfig("mlp", hidden=128, l2=0.0, batch_size=512, keep="loss")
    read = [ABAW4.features(output, "embeddings+scores") for output in ("va", "expr", "au")]
    assert read == ["scores", "embeddings+scores", "embeddings+scores"]


def test_separate_head_without_parts():
    head = HeadConfig("separate", hidden=32, epochs=3)
    assert {head.part(output) for output in ("va", "expr", "au")} == {HeadConfig("mlp", hidden=32, epochs=3)}


def test_heads_come_back_from_json():
    for written in (dataclasses.asdict(ABAW4), to_jsonable(ABAW4)):
        assert HeadConfig.from_jsonable(json.loads(json.dumps(written))) == ABAW4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: HeadConfig("mlp", parts=(HeadOverride("va"),)), "only a separate head has parts"),
        (
            lambda: HeadConfig("separate", parts=(HeadOverride("va"), HeadOverride("va"))),
            "name an output twice: va, va",
        ),
        (lambda: HeadConfig("separate", parts=(HeadOverride("va", epochs=0),)), "epochs must be at least 1"),
        (lambda: HeadConfig("separate", parts=(HeadOverride("au", keep="first"),)), "unknown head keep 'first'"),
        (lambda: HeadOverride("expression"), "unknown output 'expression'; did you mean expr"),
        (lambda: HeadConfig(label_smoothing=1.0), "label_smoothing must be at least 0 and less than 1, not 1.0"),
        (lambda: HeadConfig(invalid="zeroe"), "did you mean zeroed"),
        (lambda: check_task_support(HeadConfig("separate", keep="accuracy"), get_task("mtl")), "va does not have"),
    ],
)
def test_impossible_heads_raise(make, message):
    with pytest.raises(InputError, match=message):
        make()
