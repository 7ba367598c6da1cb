"""Recipes that train a backbone: published settings, `--set`, and the right command."""

import math
from pathlib import Path

import pytest

from backbones import AFFECTNET
from harness import BackboneRecipe, Schedule, StillsConfig, SyntheticStills
from harness.metrics.tasks import EXPRESSIONS
from harness.runner import apply_settings, find_recipe, recipe_names
from harness.runner.backbone_training_data import open_training_data
from harness.utils.errors import InputError
from harness.utils.store import Store

PUBLISHED = ("vggface2_identities", "affectnet_expressions", "affectnet_multitask")
LIGHT = ("light_identities", "light_expressions", "light_both")


def recipe(name):
    return find_recipe(name, BackboneRecipe)


def changed(name, *settings):
    return apply_settings(recipe(name), list(settings))


def test_backbone_recipes_exist_with_commands():
    assert set(PUBLISHED + LIGHT) <= set(recipe_names(BackboneRecipe))
    for name in recipe_names(BackboneRecipe):
        assert recipe(name).name == name
        said = (Path(__file__).parents[2] / "experiments" / f"{name}.py").read_text()
        assert f"framelight train-backbone {name}" in said and "--data" in said


def test_recipe_kinds():
    from harness import Recipe

    assert sorted(recipe_names(Recipe) + recipe_names(BackboneRecipe)) == recipe_names()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optimizer(name):
    """abaw3 reference: Adam in SAM, rho .05, without decay, clipping or a schedule."""
    training = recipe(name).training
    assert (training.sam, training.weight_decay, training.clip, training.average) == (0.05, 0, 0, 0)
    assert recipe(name).stills is None


def test_published_identities():
    training = recipe("vggface2_identities").training
    assert training.backbone == "efficientnet_b0" and training.batch_size == 48 and training.expressions is None
    assert training.identities.schedule == Schedule(10, 1e-4, 1, 1e-3, "constant", 0.0)
    assert training.identities.held_out == 0.1 and training.identities.label_smoothing == 0
    assert training.augmentation.flip and training.augmentation.crop < 1 and training.augmentation.strength == 0
    assert training.augmentation.enlarge * 224 == pytest.approx(256)


@pytest.mark.parametrize("name, batch, also", [("affectnet_expressions", 32, ()), ("affectnet_multitask", 48, ("va",))])
def test_published_expressions(name, batch, also):
    training = recipe(name).training
    how = training.expressions
    assert training.backbone == "vggface2_identities" and training.identities is None
    assert training.batch_size == batch and how.also == also and how.classes == 8
    assert how.schedule == Schedule(6, 1e-4, 3, 1e-3, "constant", 0.0)
    assert how.weight_limit == math.inf and how.sampling == "natural" and how.label_smoothing == 0
    assert how.keep == "accuracy" and how.held_out == 0
    assert not training.augmentation.flip and training.augmentation.strength == 0 and training.augmentation.crop == 1


def test_light_recipes_share_stages():
    both, identities, expressions = (recipe(f"light_{name}").training for name in ("both", "identities", "expressions"))
    assert identities.expressions is None and expressions.identities is None
    assert both.identities == identities.identities and both.expressions == expressions.expressions
    assert all(recipe(name).stills is not None for name in LIGHT) and both.expressions.held_out > 0


@pytest.mark.parametrize(
    "name, setting, found",
    [
        ("light_both", "training.seed=3", lambda r: r.training.seed == 3),
        ("light_both", "backbone=efficientnet_b0", lambda r: r.training.backbone == "efficientnet_b0"),
        ("light_both", "sam=0.05", lambda r: r.training.sam == 0.05),
        ("light_both", "devices=auto", lambda r: r.hardware.devices == "auto"),
        ("light_both", "margin=0.1,0.2", lambda r: r.training.margin == (0.1, 0.2)),
        (
            "light_both",
            "identities.schedule.epochs=2",
            lambda r: (
                r.training.identities.schedule.epochs == 2
                and r.training.expressions.schedule.epochs == recipe("light_both").training.expressions.schedule.epochs
            ),
        ),
        ("light_both", "strength=0", lambda r: r.training.augmentation.strength == 0),
        ("light_both", "identities=none", lambda r: r.training.identities is None and r.stills.identities > 1),
        ("light_both", "identities=60", lambda r: r.training.identities is not None and r.stills.identities == 60),
        ("light_both", "stills=none", lambda r: r.stills is None),
        ("light_both", "stills.images=48", lambda r: r.stills.images == 48),
        ("light_both", "name=mine", lambda r: r.name == "mine"),
        ("light_expressions", "epochs=2", lambda r: r.training.expressions.schedule.epochs == 2),
        ("light_expressions", "also=va,au", lambda r: r.training.expressions.also == ("va", "au")),
        ("light_expressions", "identities.images=6", lambda r: r.training.identities.images == 6),
        (
            "light_expressions",
            "training.identities.schedule.epochs=1",
            lambda r: r.training.identities.schedule.epochs == 1,
        ),
        ("affectnet_multitask", "also=", lambda r: r.training.expressions.also == ()),
        ("affectnet_expressions", "weight_limit=5", lambda r: r.training.expressions.weight_limit == 5),
        ("light_expressions", "weight_limit=inf", lambda r: r.training.expressions.weight_limit == math.inf),
        ("vggface2_identities", "stills.images=60", lambda r: r.stills == SyntheticStills(images=60)),
    ],
)
def test_set_replaces_one_field(name, setting, found):
    assert found(changed(name, setting))


def test_stage_is_switched_on_and_off():
    on = changed("light_expressions", "identities.held_out=0.2")
    assert on.training.identities.held_out == 0.2 and on.training.identities.images == StillsConfig().identities.images
    assert apply_settings(on, ["training.identities=none"]) == recipe("light_expressions")


@pytest.mark.parametrize(
    "setting, message",
    [
        ("seeds", "training.seed=1"),
        ("epochs=3", "is ambiguous: training.identities.schedule.epochs or training.expressions.schedule.epochs"),
        ("seed=3", "is ambiguous: training.seed or stills.seed"),
        ("epoch=3", "did you mean"),
        ("devices=none", "devices"),
        ("keep=f1", "macro_f1"),
        ("classes=6", "classes"),
        ("training.identities=on", "this setting has fields; set one of them: schedule"),
        ("sam=-1", "sam"),
        ("name=a/b", "is not a valid name of a backbone"),
        ("name=efficientnet_b0", "is reserved"),
        ("name=pretrained", "is reserved"),
        ("name=", "is not a valid name of a backbone"),
    ],
)
def test_wrong_setting_raises(setting, message):
    with pytest.raises(InputError, match=message):
        changed("light_both", setting)


def test_no_stage_raises():
    with pytest.raises(InputError, match="nothing would be trained"):
        changed("light_expressions", "expressions=none")


def test_recipe_of_other_command_raises():
    with pytest.raises(InputError, match="'light_both' trains a backbone.*use: framelight train-backbone light_both"):
        find_recipe("light_both")
    with pytest.raises(InputError, match="'quickstart' compares backbones.*use: framelight run quickstart"):
        recipe("quickstart")
    with pytest.raises(InputError, match="did you mean affectnet_expressions"):
        recipe("afectnet_expressions")


def test_recipe_file_of_either_kind(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from experiments.light_both import recipe\n")
    assert recipe(str(path)) == recipe("light_both")
    with pytest.raises(InputError, match=f"use: framelight train-backbone {path}"):
        find_recipe(str(path))
    path.write_text("recipe = 3\n")
    with pytest.raises(InputError, match="no `recipe = BackboneRecipe.*experiments/light_both.py"):
        recipe(str(path))
    with pytest.raises(InputError, match="no such recipe file.*light_both"):
        recipe(str(tmp_path / "none.py"))


def test_posed_images_train_the_classes_of_affectnet(tmp_path):
    for style, classes in (("generic", EXPRESSIONS), ("posed", AFFECTNET)):
        made = BackboneRecipe(
            "mine", StillsConfig("tiny_resnet@random"), stills=SyntheticStills(48, identities=6, style=style)
        )
        for split in open_training_data(made, None, Store(tmp_path)).read():
            assert split.classes == classes and set(split.expression.tolist()) == set(range(8))
