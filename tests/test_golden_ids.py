"""Ids of jobs, trainings and data in stores of earlier versions must not change when classes are renamed or moved."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from harness import BackboneRecipe, HeadConfig, Protocol, Recipe, Search, SmoothingGrid
from harness.data.fingerprint import dataset_digest
from harness.data.registry import open_dataset
from harness.data.splits import labels_fingerprint
from harness.data.synthetic import VERSION
from harness.data.synthetic.cache import stills_fingerprint
from harness.features.store import entry_key
from harness.runner import find_recipe, recipe_names
from harness.runner.backbone_training import REVISION as TRAINING_REVISION
from harness.runner.expansion import JobGrid
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs
from harness.runner.search_space import SearchSpace
from harness.utils.hashing import content_hash, to_jsonable
from harness.utils.store import Store
from tests.helpers.shared_data import shared_data

GOLDEN = json.loads(Path(__file__).with_suffix(".json").read_text())
PREPROCESSING = {"size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
LABELS = {"expr": "a" * 16, "va": "b" * 16, "au": "c" * 16, "mtl": "d" * 16}
SEARCHES = {"plain": Search(), "gaps": Search(trials=50, batch=4, gaps=("linear", "nearest"))}
EARLIER = Protocol(seed=0, refit=False)
"""The protocol that was the default until selection splits varied with the seed and models were refit."""
CAUSAL = SmoothingGrid(kernels=("trailing_mean", "trailing_median", "exponential"), gaps="held")


def prepared(recipe, images="0" * 16, labels=LABELS, temporal=True):
    """Prepared inputs with fixed digests in place of those that a training or a processor decides."""
    backbones = tuple(
        PreparedBackbone(
            name,
            f"checkpoint {name}",
            f"{number:02x}" * 32,
            False,
            1000 + number,
            entry_key("tiny", f"{number:02x}" * 32, PREPROCESSING, images, "float16"),
        )
        for number, name in enumerate(recipe.all_backbones())
    )
    return PreparedInputs(Path("/data"), Store(Path("/store")), "golden", temporal, images, dict(labels), backbones)


def ids(recipe, **changes):
    """The digest of a recipe, and of the ids of its jobs and of their trainings."""
    jobs = JobGrid(recipe, prepared(recipe, **changes)).jobs()
    listed = [[job.job_id, job.training_id] for job in jobs]
    return {
        "recipe": content_hash(recipe),
        "jobs": len(jobs),
        "last": listed[-1] if listed else [],
        "all": hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
    }


def with_earlier_protocol(name):
    recipe = find_recipe(name)
    return recipe if recipe.protocol.name == "published" else dataclasses.replace(recipe, protocol=EARLIER)


def test_ids_of_the_recipes_with_the_default_protocol():
    found = {name: ids(find_recipe(name)) for name in recipe_names(Recipe)}
    assert found == GOLDEN["defaults"]
    of_the_paper = [name for name in recipe_names(Recipe) if find_recipe(name).protocol.name == "published"]
    assert len(of_the_paper) == 7 and all(found[name] == GOLDEN["recipes"][name] for name in of_the_paper)


def test_ids_of_the_recipes_and_of_variants_with_the_earlier_protocol():
    found = {name: ids(with_earlier_protocol(name)) for name in recipe_names(Recipe)}
    expr = with_earlier_protocol("abaw3_expr")
    found["causal"] = ids(dataclasses.replace(expr, smoothing=CAUSAL))
    found["stills"] = ids(with_earlier_protocol("real_faces"), temporal=False)
    found["search"] = ids(dataclasses.replace(expr, search=Search(trials=20)))
    assert found == GOLDEN["recipes"]


def test_ids_of_searches():
    found = {}
    for name in ("abaw3_expr", "abaw3_mtl"):
        for label, search in SEARCHES.items():
            recipe = dataclasses.replace(with_earlier_protocol(name), search=search)
            found[f"{name} {label}"] = SearchSpace(JobGrid(recipe, prepared(recipe)), recipe.grids[0]).identity()
    assert found == GOLDEN["searches"]


def test_ids_of_trained_backbones_and_synthetic_data():
    found = {}
    for name in recipe_names(BackboneRecipe):
        recipe = find_recipe(name, BackboneRecipe)
        found[name] = content_hash({"training": to_jsonable(recipe.training), "revision": TRAINING_REVISION})
    for backbone in find_recipe("quickstart").trained + find_recipe("abaw3_expr").trained:
        found[backbone.name] = [content_hash(backbone), stills_fingerprint(backbone.stills)]
    found["videos"] = content_hash([find_recipe("quickstart").synthetic, VERSION])
    assert found == GOLDEN["trainings"]


@pytest.mark.parametrize("name", ["rendered", "faces"])
def test_ids_on_shared_data(name, tmp_path):
    dataset = open_dataset(shared_data() / name)
    recipes = ("real_faces",) if name == "faces" else ("abaw3_expr", "abaw3_va", "abaw3_au", "abaw3_mtl")
    images, found = dataset_digest(dataset, tmp_path / "digests.json"), {}
    for recipe in map(with_earlier_protocol, recipes):
        labels = {task: labels_fingerprint(dataset, task) for task in recipe.tasks}
        found[recipe.name] = ids(recipe, images=images, labels=labels, temporal=dataset.temporal)
    assert found == GOLDEN["data"][name]


def test_dataclass_without_tag_has_no_id():
    @dataclasses.dataclass(frozen=True)
    class Untagged:
        value: int = 0

    with pytest.raises(TypeError, match="Untagged cannot be hashed by content: define its hash_tag"):
        content_hash(Untagged())


def test_subclass_in_a_recipe_has_a_separate_id():
    @dataclasses.dataclass(frozen=True)
    class Mine(HeadConfig):
        pass

    assert content_hash(Mine()) != content_hash(HeadConfig())
    assert content_hash(Mine()) == content_hash({**to_jsonable(HeadConfig()), "type": "Mine"})
