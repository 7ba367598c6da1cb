"""Errors before any work, and keys of prepared inputs."""

import dataclasses
import os
import shutil
import time

import pytest

import backbones
from harness import (
    BackboneRecipe,
    Expressions,
    Grid,
    HeadConfig,
    Protocol,
    Recipe,
    Schedule,
    StillsConfig,
    SyntheticStills,
    SyntheticVideos,
    TrainedBackbone,
)
from harness.data.registry import open_dataset
from harness.data.synthetic.cache import synthetic_stills, synthetic_videos
from harness.data.validation import validate_dataset
from harness.runner.feature_preparation import warn_if_unaligned
from harness.runner.preparation import prepare_inputs
from harness.tracking import TrackingUnavailableError
from harness.utils.errors import InputError
from harness.utils.store import Store
from tests.helpers.data_folders import AU, EXPR, annotate, crops, small_abaw3, table
from tests.helpers.logs import captured_logs

HELD_OUT = Protocol()
STILLS = SyntheticStills(images=24, identities=6)
TRAINING = StillsConfig("tiny_mobilenet@random", identities=None, expressions=Expressions(Schedule(epochs=1)))


def recipe(**changes):
    return Recipe(
        **{
            "name": "small",
            "grids": (Grid("expr", heads=(HeadConfig("logistic_regression"),)),),
            "backbones": ("tiny_mobilenet@random",),
            **changes,
        }
    )


def test_scores_of_a_backbone_without_classifier_raise_before_extraction(tmp_path):
    network = backbones.build("tiny_mobilenet")
    network.set_classes(())
    backbones.save_checkpoint(tmp_path / "store/artifacts/backbones/bare", network, {})
    grids = (Grid("expr", ("embeddings", "embeddings+scores"), (HeadConfig("logistic_regression"),)),)
    with pytest.raises(InputError, match="without a classifier do not have: bare; add --set features=embeddings"):
        prepare_inputs(
            recipe(backbones=("bare",), grids=grids), small_abaw3(tmp_path / "data"), Store(tmp_path / "store")
        )
    assert not list((tmp_path / "store" / "features").glob("*/*"))
    prepared = prepare_inputs(recipe(backbones=("bare",)), tmp_path / "data", Store(tmp_path / "store"))
    assert prepared.backbones[0].label == "bare"


def warnings(root, task="expr", protocol=HELD_OUT):
    with captured_logs() as messages:
        validate_dataset(protocol, root, [task])
    return messages


def test_valid_data_pass_silently(tmp_path):
    root = small_abaw3(tmp_path)
    assert [warnings(root, task) for task in ("expr", "va", "au", "mtl")] == [[]] * 4


@pytest.mark.parametrize("protocol", [HELD_OUT, Protocol("published")])
def test_video_in_both_splits_raises_before_any_work(tmp_path, protocol):
    root = small_abaw3(tmp_path / "data")
    annotate(root, EXPR, "Validation_Set", "7-30-640x480", [0, 1, 4])
    with pytest.raises(
        InputError, match="video '7-30-640x480' is in both train and validation of task 'expr'.*data chec"
    ):
        prepare_inputs(recipe(protocol=protocol), root, Store(tmp_path / "store"))
    assert not (tmp_path / "store" / "features").exists() and warnings(root, "va") == []


def test_subject_in_both_splits_raises(tmp_path):
    rows = [f"{n}.jpg,{('anger', 'fear')[n % 2]},s{n % 5},{'val' if n > 7 else 'train'}" for n in range(12)]
    root = table(tmp_path / "data", "image,expression,subject,split", *rows)
    with pytest.raises(InputError, match="subject 's0' and 3 more are in both train and validation"):
        prepare_inputs(recipe(), root, Store(tmp_path / "store"))


def test_two_sides_of_one_video_in_two_splits_are_a_warning(tmp_path):
    root = small_abaw3(tmp_path)
    crops(root, "video1_right", range(1, 6))
    annotate(root, EXPR, "Validation_Set", "video1_right", [0, 1, 4])
    said = warnings(root)
    assert len(said) == 1 and said[0].startswith("warning: ") and "parts of the same video" in said[0]
    assert "task 'expr': video1" in said[0] and warnings(root, "au") == []


def test_selection_slice_without_valid_label_raises(tmp_path):
    """Of the two training videos one has no valid action unit; the seed decides which of them is held out."""
    root = small_abaw3(tmp_path)
    annotate(root, AU, "Train_Set", "video1_left", ["-1" + ",0" * 11] * 5)
    found = {}
    for seed in range(8):
        try:
            found[seed] = warnings(root, "au", Protocol(seed=seed))
        except InputError as error:
            found[seed] = str(error)
    refused = {seed: said for seed, said in found.items() if "the held-out part of the train split has" in said}
    assert refused and all("no valid au label of task 'au' among its 5 rows" in said for said in refused.values())
    assert all(f"protocol.seed={seed + 1} or a larger protocol.fraction" in said for seed, said in refused.items())
    assert all("without the held-out videos" in found[seed] for seed in found.keys() - refused)
    assert warnings(root, "au", Protocol("published")) == []


def test_selection_on_one_class(tmp_path):
    root = small_abaw3(tmp_path)
    annotate(root, EXPR, "Train_Set", "video1_left", [4] * 5)
    said = []
    for seed in range(8):
        try:
            said += warnings(root, protocol=Protocol(seed=seed))
        except InputError as error:
            said.append(str(error))
    assert len(said) < 8 and all("only one class, Happiness" in text for text in said)


def test_stale_temporary_files_are_removed(tmp_path):
    old = []
    for folder in ("jobs", "predictions", "synthetic", "backbones", "trainings"):
        old.append(tmp_path / "store" / "artifacts" / folder / ".entry.x.aside")
        old[-1].mkdir(parents=True)
        os.utime(old[-1], (time.time() - 7200,) * 2)
    with pytest.raises(InputError, match="add --data"):
        prepare_inputs(recipe(), None, Store(tmp_path / "store"))
    assert [path for path in old if path.exists()] == []


def test_synthetic_sets_depend_on_the_generator_version(tmp_path, monkeypatch):
    store, videos = Store(tmp_path), SyntheticVideos(videos=4, frames=10)
    made = [synthetic_videos(videos, store), synthetic_stills(STILLS, store)]
    assert made == [
        synthetic_videos(SyntheticVideos(videos=4, frames=10), Store(tmp_path)),
        synthetic_stills(STILLS, Store(tmp_path)),
    ]
    monkeypatch.setattr("harness.data.synthetic.VERSION", 1_000)
    again = [synthetic_videos(videos, store), synthetic_stills(STILLS, store)]
    assert not set(made) & set(again) and all(path.is_dir() for path in (*made, *again))


def recipe_of(training=TRAINING):
    return recipe(trained=(TrainedBackbone("mine", training, STILLS),), backbones=("mine",))


class Silent:
    """A tracker whose server has died."""

    def start_training(self, *_):
        raise TrackingUnavailableError("no longer answers")


def test_untracked_training_warns(tmp_path, logged):
    prepare_inputs(recipe_of(), small_abaw3(tmp_path / "data"), Store(tmp_path / "store"), Silent())
    assert "warning: no longer answers" in logged


def test_checkpoint_keys_depend_on_all_inputs(tmp_path, monkeypatch):
    from harness.runner.backbone_training import train_backbone

    def trained(training=TRAINING):
        before = set(tmp_path.glob("artifacts/backbones/mine-*"))
        train_backbone(BackboneRecipe("mine", training, stills=STILLS), None, Store(tmp_path))
        return len(set(tmp_path.glob("artifacts/backbones/mine-*")) - before)

    assert trained() == 1 and trained() == 0
    assert trained(dataclasses.replace(TRAINING, threads=1)) == 1
    monkeypatch.setattr("harness.runner.backbone_training.REVISION", 1_000)
    assert trained() == 1 and trained() == 0
    monkeypatch.setattr("harness.data.synthetic.VERSION", 1_000)
    assert trained() == 1


def test_recipe_backbone_equals_that_of_the_command(empty_store, tmp_path):
    from harness.runner.backbone_training import train_backbone
    from harness.tracking import open_tracker

    store = shutil.copytree(empty_store, tmp_path / "store")
    tracker = open_tracker(Store(store))
    alone = train_backbone(BackboneRecipe("mine", TRAINING, stills=STILLS), None, Store(store))
    assert not alone.cached and alone.trained is not None
    prepared = prepare_inputs(recipe_of(), small_abaw3(tmp_path / "data"), Store(store), tracker)
    assert [path.name for path in (store / "artifacts").glob("backbones/mine-*")] == [alone.folder.name]
    assert prepared.backbones[0].label == "mine"
    assert tracker.start_training(alone.folder.name, "mine", {}, {}) is None, "it is finished there"


def test_entry_is_found_without_its_stills(tmp_path):
    from harness.runner.backbone_training import train_backbone

    wanted = BackboneRecipe("mine", TRAINING, stills=STILLS)
    folder = train_backbone(wanted, None, Store(tmp_path)).folder
    shutil.rmtree(tmp_path / "artifacts" / "synthetic")
    again = train_backbone(wanted, None, Store(tmp_path))
    assert again.cached and again.folder == folder and not (tmp_path / "artifacts" / "synthetic").exists()


def test_missing_backbone_raises_before_work(tmp_path):
    grids = (
        Grid("expr", heads=(HeadConfig("logistic_regression"),), backbones=("enet_b2_8",)),
        Grid("au", heads=(HeadConfig("logistic_regression"),)),
    )
    wanted = recipe(grids=grids, backbones=("enet_b0_8_best_vgaf", "tiny_mobilenet@random"))
    with pytest.raises(
        InputError,
        match="(?s)unknown backbone 'enet_b0_8_best_vgaf'.*Also missing: enet_b2_8.*backbones import FILE --name "
        "enet_b0_8_best_vgaf ",
    ):
        prepare_inputs(wanted, small_abaw3(tmp_path / "data"), Store(tmp_path / "store"))
    assert not (tmp_path / "store" / "features").exists()


def test_missing_initial_weights_of_a_training_raise_before_work(tmp_path):
    trained = (TrainedBackbone("mine", dataclasses.replace(TRAINING, backbone="tiny_mobilnet"), STILLS),)
    with pytest.raises(InputError, match=r"(?s)trained.training.backbone.*mine is trained: unknown backbone 'tiny_m"):
        prepare_inputs(recipe(trained=trained, backbones=("mine",)), tmp_path / "none", Store(tmp_path / "store"))
    assert not (tmp_path / "store" / "features").exists()


def test_each_missing_backbone_is_named_before_work(tmp_path):
    store = Store(tmp_path / "store")
    names = ("timm:resnet18@random", "tiny_mobilenet@tuned", "resnet999", "timm:resnet9999")
    with pytest.raises(InputError) as caught:
        prepare_inputs(recipe(backbones=names), tmp_path / "none", store)
    assert str(caught.value).startswith("unknown weights of tiny_mobilenet 'tuned'")
    assert "\nAlso missing: resnet999, timm:resnet9999\n" in str(caught.value) and "resnet18" not in str(caught.value)
    assert "backbones import" not in str(caught.value), "this is not a name that weights can be imported under"
    with pytest.raises(InputError, match="unknown backbone 'resnet999'") as caught:
        prepare_inputs(recipe(backbones=("resnet999", "timm:resnet18@random")), tmp_path / "none", store)
    assert "Also missing" not in str(caught.value) and "import FILE --name resnet999 --store" in str(caught.value)


def test_ambiguous_name_is_an_error_before_work(tmp_path):
    store, network = Store(tmp_path / "store"), backbones.build("tiny_mobilenet")
    for seed in range(2):
        backbones.save_checkpoint(store.backbones / f"small-{seed}", network, {"name": "small"})
    with pytest.raises(InputError, match="unknown backbone 'small'; did you mean small-[01] or small-[01]"):
        prepare_inputs(recipe(backbones=("small",)), tmp_path / "none", store)


def test_parents_are_suggested_from_the_store_and_checked_with_the_other_backbones(tmp_path):
    store = Store(tmp_path / "store")
    backbones.save_checkpoint(store.backbones / "my_faces", backbones.build("tiny_mobilenet"), {})
    training = dataclasses.replace(TRAINING, backbone="my_face")
    trained = tuple(TrainedBackbone(name, training, STILLS) for name in ("mine", "other"))
    suggestion = "from which other is trained: unknown backbone 'my_face'; did you mean my_faces or .*"
    with pytest.raises(InputError, match=rf"^trained.training.backbone, {suggestion}\nAlso missing: resnet999\n"):
        prepare_inputs(recipe(trained=trained, backbones=("mine", "other", "resnet999")), tmp_path / "none", store)
    with pytest.raises(InputError, match="(?s)^unknown backbone 'resnet999'.*\nAlso missing: my_face\n"):
        prepare_inputs(recipe(trained=trained, backbones=("resnet999", "mine")), tmp_path / "none", store)


def test_names_of_backbones_that_the_recipe_trains_are_suggested(tmp_path):
    trained = (TrainedBackbone("mine", TRAINING, STILLS),)
    with pytest.raises(InputError, match="unknown backbone 'mnie'; did you mean mine"):
        prepare_inputs(recipe(trained=trained, backbones=("mnie",)), tmp_path / "none", Store(tmp_path / "store"))


def test_backbones_of_single_grids_are_prepared_and_asked_for_scores_where_they_are_used(tmp_path):
    network = backbones.build("tiny_mobilenet")
    network.set_classes(())
    backbones.save_checkpoint(tmp_path / "store/artifacts/backbones/bare", network, {})
    head = (HeadConfig("logistic_regression"),)
    grids = Grid("expr", ("scores",), head), Grid("au", ("embeddings",), head, backbones=("bare",))
    prepared = prepare_inputs(recipe(grids=grids), small_abaw3(tmp_path / "data"), Store(tmp_path / "store"))
    assert [backbone.label for backbone in prepared.backbones] == ["tiny_mobilenet", "bare"]


@pytest.mark.parametrize("folder, warned", [("cropped", True), ("cropped_aligned", False)])
def test_unaligned_crops_for_a_backbone_that_reads_aligned_ones(tmp_path, folder, warned):
    dataset = open_dataset(small_abaw3(tmp_path, folder=folder))
    info = backbones.get_info("tiny_resnet@random")
    aligned = dataclasses.replace(info.spec.preprocessing, align="five_point")
    info = dataclasses.replace(info, spec=dataclasses.replace(info.spec, preprocessing=aligned))
    with captured_logs() as lines:
        warn_if_unaligned(info, dataset, "mine")
    assert bool(lines) == warned
