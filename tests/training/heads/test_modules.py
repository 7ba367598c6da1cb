import pytest
import torch

from harness import HeadConfig
from harness.metrics import tasks
from harness.training.heads import modules
from harness.training.heads.config import BATCHED_KINDS, KINDS
from harness.utils.errors import InputError


@pytest.mark.parametrize("task", tasks.TASKS)
@pytest.mark.parametrize("kind", modules.HEAD_LAYERS)
def test_every_head_gives_logits_of_the_tasks_width(kind, task):
    head = modules.build_head(HeadConfig(kind), 20, tasks.get_task(task))
    assert head(torch.randn(5, 20)).shape == (5, tasks.get_task(task).width)


def test_every_kind_of_head_has_layers_or_is_made_of_several_heads():
    assert {*modules.HEAD_LAYERS, "separate"} == set(KINDS) and set(BATCHED_KINDS) <= set(modules.HEAD_LAYERS)


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts_are_those_of_the_paper():
    """Savchenko 2022: EXPR MLP 165,000; AU MLP 165,516; VA linear 18; MTL direct on 1416 columns 31,174."""
    assert count(modules.build_head(HeadConfig("mlp"), 1280, tasks.get_task("expr"))) == 165_000
    assert count(modules.build_head(HeadConfig("mlp"), 1280, tasks.get_task("au"))) == 165_516
    assert count(modules.build_head(HeadConfig("logistic_regression"), 8, tasks.get_task("va"))) == 18
    assert count(modules.build_head(HeadConfig("multitask", hidden=0), 1416, tasks.get_task("mtl"))) == 31_174


def test_multitask_without_hidden_layer_is_linear_and_with_one_is_not():
    x = torch.randn(2, 10)
    middle = x.mean(0, keepdim=True)
    for hidden, linear in ((0, True), (32, False)):
        head = modules.build_head(HeadConfig("multitask", hidden=hidden), 10, tasks.get_task("mtl"))
        assert torch.allclose(head(middle), head(x).mean(0, keepdim=True), atol=1e-6) is linear


def test_unknown_head_suggests_name():
    with pytest.raises(InputError, match="did you mean logistic_regression"):
        HeadConfig("logistic_regresion")


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "mlp", "hidden": 0},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"l2": -1.0},
        {"schedule": "linear"},
        {"keep": "first"},
    ],
)
def test_impossible_settings_raise(bad):
    with pytest.raises(InputError, match=next(k for k in reversed(bad))):
        HeadConfig(**bad)
