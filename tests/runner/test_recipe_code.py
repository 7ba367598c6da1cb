"""A recipe that only assigns settings is told from one that runs code, and both by their content."""

import time

import pytest

from harness import Recipe
from harness.runner import recipe_names
from harness.runner.loader import recipe_path
from harness.runner.recipe_code import identify_recipe_code
from harness.tracking.code_identity import code_key, identify_code, package_digest

SETTINGS = """
\"\"\"Settings.\"\"\"
from dataclasses import replace
from harness import Grid, HeadConfig, Recipe

HEADS = tuple(HeadConfig("mlp", hidden=width) for width in (32, 64))
recipe = replace(Recipe("mine", (Grid("expr", heads=HEADS),), ("tiny_mobilenet@random",)), seeds=(0, 1))
"""


def identify(folder, text, **modules):
    for name, content in modules.items():
        (folder / f"{name}.py").write_text(content)
    path = folder / "mine.py"
    path.write_text(text)
    return identify_recipe_code(path)


def test_settings_run_no_code(tmp_path):
    code = identify(tmp_path, SETTINGS)
    assert not code.recipe_runs_code and len(code.recipe) == 12


@pytest.mark.parametrize("name", recipe_names())
def test_the_shipped_recipes_run_no_code(name):
    assert not identify_recipe_code(recipe_path(name)).recipe_runs_code


@pytest.mark.parametrize(
    "patch",
    [
        "import harness.training.heads.modules as modules\nmodules.build_head = None",
        "from harness.training.heads.modules import HEAD_LAYERS\nHEAD_LAYERS['mlp'] = None",
        "from harness.training.heads.modules import HEAD_LAYERS\nHEAD_LAYERS |= {}",
        "from harness.training.heads.modules import HEAD_LAYERS\nHEAD_LAYERS.update(mlp=None)",
        "import os",
        "exec('')",
        "len = exec\nlen('')",
        "setattr(recipe, 'name', '')",
        "Recipe.__post_init__ = print",
        "recipe.__class__",
        "__builtins__",
        "class Mine(HeadConfig):\n    pass",
        "del recipe",
        "for _ in ():\n    pass",
        "import helper",
        "from helper import patch",
    ],
)
def test_anything_else_is_code(tmp_path, patch):
    code = identify(tmp_path, SETTINGS + patch, helper="import os\n\ndef patch():\n    return os")
    assert code.recipe_runs_code


def test_modules_of_its_folder_belong_to_a_recipe(tmp_path):
    text = SETTINGS + "from widths import WIDTHS\n"
    first = identify(tmp_path, text, widths="WIDTHS = (32, 64)")
    assert not first.recipe_runs_code and identify(tmp_path, text, widths="WIDTHS = (32, 64)") == first
    assert identify(tmp_path, text, widths="WIDTHS = (32, 128)").recipe != first.recipe
    assert identify(tmp_path, text, widths="WIDTHS = (32, 64)", other="import os") == first


def test_a_recipe_that_runs_code_is_compared_and_settings_are_not(tmp_path):
    settings = [identify(tmp_path, f"{SETTINGS}WIDTH = {width}") for width in (1, 2)]
    patches = [identify(tmp_path, f"{SETTINGS}import os\nWIDTH = {width}") for width in (1, 2)]
    keys = [code_key(code.to_dict({})) for code in (*settings, *patches, identify_code())]
    assert settings[0].recipe != settings[1].recipe and keys[0] == keys[1]
    assert len(set(keys)) == 4 and code_key({}) is None


def test_the_code_of_the_packages_is_hashed_by_content(tmp_path, monkeypatch):
    before = package_digest("backbones")
    monkeypatch.setattr("harness.tracking.code_identity.PROJECT_ROOT", tmp_path)
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "card.py").write_text("patched")
    package_digest.cache_clear()
    try:
        assert package_digest("backbones") != before
    finally:
        package_digest.cache_clear()


def test_hashing_the_packages_is_fast():
    seconds = []
    for _ in range(3):
        package_digest.cache_clear()
        start = time.process_time()
        identify_code()
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5


def test_a_recipe_is_named_by_its_file_or_name(tmp_path):
    assert recipe_path(str(tmp_path / "mine.py")) == tmp_path / "mine.py"
    assert recipe_path(recipe_names(Recipe)[0]).is_file()
