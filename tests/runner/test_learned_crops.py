"""A backbone trained on copies of the reported crops is named before the run, and its rows are flagged."""

import dataclasses
import shutil

import pytest

import backbones
from harness import Grid, HeadConfig, Recipe
from harness.data.image_table import ImageTable
from harness.leaderboard.learned_images import describe_learned_images, learned_images
from harness.leaderboard.render import render
from harness.leaderboard.rows import leaderboard_rows
from harness.runner.expansion import JobGrid
from harness.runner.preparation import prepare_inputs
from harness.training.backbones.train import train_stills
from harness.utils.store import Store
from tests.data.test_leakage import crop, picture, videos  # noqa: F401 (a fixture)
from tests.helpers.backbone_training import CPU, expressions
from tests.helpers.data_folders import table
from tests.helpers.records import record

RECIPE = Recipe(
    "small", (Grid("expr", heads=(HeadConfig("logistic_regression"),)),), ("mine",), baselines=False, pictures=False
)


def trained(folder, store, *contents):
    """The entry `mine` of the store, trained on these pictures."""
    rows = [f"{n}.jpg,{('anger', 'fear')[n % 2]},s{n},train" for n in range(len(contents))]
    root = table(folder, "image,expression,subject,split", *rows)
    for n, content in enumerate(contents):
        (root / f"{n}.jpg").write_bytes(content)
    stills = ImageTable(root).stills("train")
    result = train_stills(expressions(held_out=0.25), stills, None, store.backbones / "mine", hardware=CPU)
    return backbones.read_card(result.folder)


@pytest.mark.parametrize("copied", [True, False])
def test_copies_of_reported_crops_are_named_and_flagged(videos, tmp_path, logged, copied):  # noqa: F811
    store = Store(tmp_path / "store")
    seen = [crop(videos, "video3", frame).read_bytes() for frame in range(1, 6)] if copied else []
    card = trained(tmp_path / "stills", store, *seen, *(picture(seed) for seed in range(500, 516 - len(seen))))
    assert card["image_hashes"] == {"images": 16, "unknown": ""}
    prepared = prepare_inputs(RECIPE, videos, store)
    warnings = [line for line in logged if "the backbone mine learned from images" in line]
    assert len(warnings) == copied and prepared.backbones[0].seen_tasks == (("expr",) if copied else ())
    (job,) = JobGrid(RECIPE, prepared).jobs()
    assert job.flags == (("seen_crops",) if copied else ())
    honest = dataclasses.replace(prepared.backbones[0], seen_tasks=())
    (same,) = JobGrid(RECIPE, dataclasses.replace(prepared, backbones=(honest,))).jobs()
    assert job.job_id == same.job_id


def test_a_flagged_row_is_marked_and_explained():
    text = render(leaderboard_rows([record(flags=("seen_crops",))]))
    assert "1 t" in text and "t: the backbone was trained on crops of this split" in text


def test_nothing_is_claimed_of_imported_weights(videos, tmp_path, logged):  # noqa: F811
    store = Store(tmp_path / "store")
    card = trained(tmp_path / "stills", store, *(picture(seed) for seed in range(500, 516)))
    mine = {"backbone": "mine", "backbone_weights": "checkpoint mine", "weights_hash": card["weights_hash"]}
    assert learned_images(record(**mine), store) == {"images": 16, "unknown": ""}
    shutil.copytree(store.backbones / "mine", store.backbones / "imported")
    (store.backbones / "mine" / "card.json").unlink()
    about = learned_images(record(**{**mine, "weights_hash": "0" * 64}), store)
    assert about == {"images": None, "unknown": "checkpoint mine"}
    assert describe_learned_images(about) == "not known, so copies of scored crops among them cannot be found"
    assert learned_images(record(backbone_random=True), store) is None
    assert "those of timm x, from which" in describe_learned_images({"images": 3, "unknown": "timm x"})
