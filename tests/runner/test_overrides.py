"""`--set`, and lookup of recipes."""

import re

import pytest

from harness import BackboneRecipe, HeadConfig, Protocol, Recipe
from harness.runner import apply_settings, find_recipe, recipe_names
from harness.runner.overrides import _field_paths
from harness.tracking.environment import PROJECT_ROOT
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash


@pytest.fixture
def recipe():
    return find_recipe("quickstart")


def test_documented_recipes_exist():
    contract = {"quickstart", "abaw3_expr", "abaw3_va", "abaw3_au", "abaw3_mtl", "real_faces"}
    assert contract <= set(recipe_names(Recipe))
    for name in recipe_names(Recipe):
        assert find_recipe(name).name == name


@pytest.mark.parametrize(
    "setting, found",
    [
        ("seeds=0,1,2", lambda r: r.seeds == (0, 1, 2)),
        ("smoothing.largest=7", lambda r: r.smoothing.largest == 7),
        ("largest=7", lambda r: r.smoothing.largest == 7),
        ("kernels=median", lambda r: r.smoothing.kernels == ("median",)),
        (
            "kernels=exponential,mean,trailing_median",
            lambda r: r.smoothing.kernels == ("exponential", "mean", "trailing_median"),
        ),
        ("gaps=held", lambda r: r.smoothing.gaps == "held"),
        ("protocol=published", lambda r: r.protocol.name == "published"),
        ("protocol.fraction=0.4", lambda r: r.protocol.fraction == 0.4),
        ("grids.heads.epochs=3", lambda r: {h.epochs for g in r.grids for h in g.heads} == {3}),
        ("features=scores", lambda r: {g.features for g in r.grids} == {("scores",)}),
        ("learning_rate=0.5", lambda r: {h.learning_rate for g in r.grids for h in g.heads} == {0.5}),
        ("trained.training.expressions=none", lambda r: {t.training.expressions for t in r.trained} == {None}),
        ("trained.training.threads=1", lambda r: {t.training.threads for t in r.trained} == {1}),
        ("trials=9", lambda r: r.search.trials == 9),
        ("search.trials=9", lambda r: r.search.trials == 9 and r.search.pruner == "median"),
        ("search=none", lambda r: r.search is None),
        ("baselines=false", lambda r: r.baselines is False),
        (
            "backbones=efficientnet_b0,timm:resnet18@random",
            lambda r: r.backbones == ("efficientnet_b0", "timm:resnet18@random"),
        ),
        ("folds=4", lambda r: (r.protocol.folds, r.protocol.refit) == (4, True)),
        ("protocol.seed=3", lambda r: r.protocol.seed == 3),
        ("protocol.seed=per-seed", lambda r: r.protocol.seed == "per-seed"),
        ("refit=true", lambda r: r.protocol.refit and r.protocol.name == "held-out"),
        ("gaps=nearest", lambda r: r.smoothing.gaps == "nearest"),
        ("thresholds=half", lambda r: r.thresholds == "half"),
        ("missing=filled", lambda r: r.missing == "filled"),
        ("pictures=false", lambda r: r.pictures is False),
        ("class_weights=none", lambda r: {h.class_weights for g in r.grids for h in g.heads} == {"none"}),
        ("heads.label_smoothing=0.1", lambda r: {h.label_smoothing for g in r.grids for h in g.heads} == {0.1}),
        ("va_loss=mse", lambda r: {h.va_loss for g in r.grids for h in g.heads} == {"mse"}),
        ("task_weights=balanced", lambda r: {h.task_weights for g in r.grids for h in g.heads} == {"balanced"}),
        ("invalid=zeroed", lambda r: {h.invalid for g in r.grids for h in g.heads} == {"zeroed"}),
        ("heads.keep=loss", lambda r: {h.keep for g in r.grids for h in g.heads} == {"loss"}),
        ("grids.backbones=a,b", lambda r: {g.backbones for g in r.grids} == {("a", "b")}),
        ("search.hidden=16,64", lambda r: r.search.hidden == (16, 64)),
    ],
)
def test_set_replaces_one_field(recipe, setting, found):
    changed = apply_settings(recipe, [setting])
    assert found(changed)
    assert changed.name == recipe.name


def test_heads_are_named():
    changed = apply_settings(find_recipe("abaw3_expr"), ["heads=mlp,logistic_regression"])
    assert [head.kind for head in changed.grids[0].heads] == ["mlp", "logistic_regression"]


@pytest.mark.parametrize(
    "setting, message",
    [
        ("seeds", "KEY=VALUE"),
        ("=3", "KEY=VALUE"),
        ("seed=3", "is ambiguous"),
        ("shape=constant", "is ambiguous: trained.training.identities.schedule.shape or trained.training.expressions"),
        ("smothing.largest=3", r"did you mean smoothing.*\? experiments/README.md lists the keys"),
        ("foo=1", r"unknown key in --set 'foo'; did you mean folds\? experiments/README.md lists the keys"),
        ("bakbone=x", r"did you mean backbone or .*backbones"),
        ("zzzzzz=1", r"unknown key in --set 'zzzzzz'; experiments/README.md lists the keys"),
        ("keep=best", "is ambiguous: grids.heads.keep or trained.training.expressions.keep; use the full path"),
        ("heads.keep=accuracy", "keep accuracy needs expressions, which va does not have"),
        ("heads=separate", "task expr has only one output"),
        ("gaps=publised", "did you mean published"),
        ("missing=fill", "did you mean filled"),
        ("largest=many", "expects an integer"),
        ("largest=251", "must be from 0 to 250"),
        ("smallest=9", None),
        ("protocol=publised", "did you mean published"),
        ("kernels=mode", "unknown kernel"),
        ("kernels=trailing_medain", "did you mean trailing_median"),
        ("kernels=", "kernels is empty"),
        ("features=embedings", "did you mean embeddings"),
        ("heads=multilayer", "unknown head"),
        ("backbones=", "has no backbones"),
        ("seeds=0,0", "same seeds twice"),
        ("features=", "grid of task 'expr' has no features"),
        ("features=scores,scores", "same features twice"),
        ("heads=", "grid of task 'expr' has no heads"),
        ("heads=mlp,mlp", "same heads twice"),
        ("smoothing=3", "this setting has fields"),
        ("search.hidden=16", "expects 2 values"),
        ("baselines=perhaps", "true or false"),
        ("precision=float8", "float16"),
        ("synthetic.videos=1", "at least 4"),
    ],
)
def test_wrong_setting_raises(recipe, setting, message):
    if message is None:
        assert apply_settings(recipe, [setting]).smoothing.smallest == 9
        return
    with pytest.raises(InputError, match=message):
        apply_settings(recipe, [setting])


def test_naming_the_protocol_of_a_recipe_keeps_its_settings():
    recipe = find_recipe("real_faces")
    assert not recipe.protocol.refit and apply_settings(recipe, ["protocol=held-out"]).protocol == recipe.protocol
    published = apply_settings(recipe, ["protocol=published"])
    for setting in ("protocol=held-out", "protocol.name=held-out"):
        assert apply_settings(published, [setting]).protocol == Protocol()
        assert apply_settings(recipe, [setting]).protocol == recipe.protocol


@pytest.mark.parametrize(
    "settings",
    [
        ["folds=3", "protocol=published"],
        ["protocol=published", "refit=true"],
        ["protocol=published", "folds=3", "protocol=held-out"],
        ["protocol=published", "protocol.seed=1", "protocol.name=held-out"],
    ],
)
def test_fraction_needs_the_held_out_protocol(recipe, settings):
    message = "published selects on the reported split and has no held-out videos; .* set protocol=held-out before it"
    with pytest.raises(InputError, match=message):
        apply_settings(recipe, settings)
    assert apply_settings(recipe, ["protocol=published"]).protocol.name == "published"
    changed = apply_settings(recipe, ["protocol=published", "protocol=held-out", "folds=3"])
    assert changed.protocol == Protocol(folds=3)


def test_singular_of_a_key_suggests_the_key():
    recipe = find_recipe("table_expr")
    told = "this is trained.training.backbone, but the recipe 'table_expr' has no trained; did you mean backbones?"
    with pytest.raises(InputError, match=re.escape(f"--set backbone=x: {told}")):
        apply_settings(recipe, ["backbone=x"])


@pytest.mark.parametrize("kind, page", [(Recipe, "experiments/README.md"), (BackboneRecipe, "backbones/README.md")])
def test_page_lists_every_key(kind, page):
    code = " ".join(re.findall(r"`[^`\n]+`", (PROJECT_ROOT / page).read_text(encoding="utf-8")))
    paths = [path for path, _ in _field_paths(kind) if path[:2] != ("trained", "training")]
    assert [".".join(path) for path in paths if not re.search(rf"\b{path[-1]}\b", code)] == []


def test_head_without_hidden_layer_has_no_hidden_width():
    one, other = HeadConfig("logistic_regression"), HeadConfig("logistic_regression", hidden=64)
    assert one == other and one.hidden == 0 and content_hash(one) == content_hash(other)
    assert HeadConfig("multitask", hidden=0) != HeadConfig("multitask", hidden=64)
    widened = apply_settings(find_recipe("abaw3_expr"), ["grids.heads.hidden=64"])
    assert [(head.kind, head.hidden) for head in widened.grids[0].heads] == [("logistic_regression", 0), ("mlp", 64)]


def test_parts_of_a_separate_head_are_set_by_their_path():
    recipe = find_recipe("abaw4_mtl")
    changed = apply_settings(recipe, ["heads.parts.epochs=1", "grids.heads.epochs=2"])
    heads = [head for grid in changed.grids for head in grid.heads]
    assert {head.epochs for head in heads} == {2}
    assert {part.epochs for head in heads for part in head.parts} == {1}


def test_unknown_recipe_suggests():
    with pytest.raises(InputError, match="did you mean quickstart"):
        find_recipe("quickstrat")


@pytest.mark.parametrize(
    "text, message",
    [
        ("recipe = 3\n", "no `recipe = Recipe"),
        ("import nothing_of_that_name\n", ":1: ModuleNotFoundError"),
        ("x = 1\nrecipe = (\n", "SyntaxError"),
        ("a = 1\nb = 1 / 0\n", ":2: ZeroDivisionError"),
    ],
)
def test_broken_recipe_file_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        find_recipe(str(path))
    assert str(path) in str(caught.value)


def test_no_such_recipe_file(tmp_path):
    with pytest.raises(InputError, match="no such recipe file"):
        find_recipe(str(tmp_path / "none.py"))


def test_default_memory():
    recipe = find_recipe("abaw3_expr")
    assert apply_settings(recipe, ["memory=512"]).memory == 512
    with pytest.raises(InputError, match="memory is 0 MiB; it must be at least 1"):
        apply_settings(recipe, ["memory=0"])
