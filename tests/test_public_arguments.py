"""Arguments of the public functions that the command line cannot pass."""

import copy
import pickle

import pytest

import harness
from harness import (
    BackboneRecipe,
    FramelightError,
    StillsConfig,
    SyntheticStills,
    export,
    leaderboard,
    predict,
    run,
    submit,
)
from harness.utils.errors import InputError
from harness.utils.store import Store


def test_tracking_uri_argument(tmp_path):
    store = Store(tmp_path)
    assert Store.default(store) is store
    assert Store.default(store, "http://127.0.0.1:9").tracking_uri == "http://127.0.0.1:9"
    with pytest.raises(FramelightError, match="http://127.0.0.1:9 does not answer"):
        leaderboard(store, tracking_uri="http://127.0.0.1:9")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"missing": "fill"}, "unknown missing 'fill'; did you mean filled"),
        ({"runs": []}, "at least one run"),
        ({"missing": "", "runs": "best:expr"}, "unknown missing ''"),
    ],
)
def test_predict_rejects_invalid_arguments(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        predict("talk.mp4", **{"runs": "best:expr", "out": tmp_path / "out", "store": tmp_path, **options})
    with pytest.raises(TypeError, match="smalest"):
        predict("talk.mp4", "best:expr", tmp_path / "out", smalest=40)


def test_submit_rejects_invalid_arguments(tmp_path):
    with pytest.raises(InputError, match="unknown format 'frame'; did you mean frames"):
        submit("best:expr", tmp_path, tmp_path / "out", format="frame")
    with pytest.raises(InputError, match="unknown split 'valdation'; did you mean validation"):
        submit("best:expr", tmp_path, tmp_path / "out", split="valdation")


def test_run_rejects_invalid_arguments(tmp_path):
    recipe = BackboneRecipe("mine", StillsConfig("tiny_resnet@random"), stills=SyntheticStills())
    with pytest.raises(InputError, match="'mine' trains a backbone; run it with framelight train-backbone"):
        run(recipe, store=tmp_path)
    with pytest.raises(InputError, match="jobs is -1; at least one is needed"):
        run("quickstart", store=tmp_path, jobs=-1)
    with pytest.raises(InputError, match="seedz"):
        run("quickstart", store=tmp_path, settings="seedz=0")


def test_export_rejects_invalid_calibration(tmp_path):
    with pytest.raises(InputError, match="calibration is -5; at least one training crop is needed"):
        export("best:expr", tmp_path / "out", store=tmp_path, calibration=-5)


def test_backbone_errors_are_framelight_errors(tmp_path):
    recipe = harness.Recipe("small", (harness.Grid("expr"),), ("tiny_mobilenet@random",))
    with pytest.raises(FramelightError):
        run(recipe, tmp_path / "nothing", tmp_path / "store")
    from harness.utils.public_api import framelight_errors

    @framelight_errors
    def load():
        import backbones

        backbones.load("tiny_resnat")

    with pytest.raises(InputError, match="unknown backbone 'tiny_resnat'.*tiny_resnet"):
        load()


@pytest.mark.parametrize("name", ["export", "leaderboard", "predict", "run"])
def test_functions_can_be_pickled_and_copied(name):
    function = getattr(harness, name)
    assert pickle.loads(pickle.dumps(function)) is function is copy.deepcopy(function)
    assert function.__doc__.splitlines()[0].endswith("does.") or "framelight" in function.__doc__
