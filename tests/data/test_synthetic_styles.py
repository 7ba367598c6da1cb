"""Posed stills and spontaneous videos, and what the generic style was before there were others."""

import csv
import hashlib
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from backbones import AFFECTNET
from harness import SyntheticStills, SyntheticVideos
from harness.data.check import check_dataset
from harness.data.registry import open_dataset, open_stills
from harness.data.synthetic import make, make_stills, stills, styles
from harness.data.synthetic.prototypes import ONE_SIDED
from harness.data.synthetic.render import render_faces
from harness.data.synthetic.settings import STILL_STYLES, VIDEO_STYLES
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash
from tests.helpers.face_scenes import neutral_scene

GENERIC_CROPS, GENERIC_STILLS = (55, (156.806, 123.416, 114.400)), (18, (97.357, 75.667, 63.475))
"""Number of images and their mean RGB in a generic dataset, as before there were other styles."""
GENERIC_AFFECT = (-0.151, 0.2885)
"""Mean valence and arousal of its still images."""


def digest(root):
    value = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            value.update(str(path.relative_to(root.parent)).encode() + b"\0" + path.read_bytes())
    return value.hexdigest()[:16]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("styles") / "set"
    make(root, videos=5, frames=100, stills=48, identities=6, style="spontaneous")
    return root


def mean_rgb(folder):
    means = [np.asarray(Image.open(path)).mean(axis=(0, 1)) for path in sorted(folder.rglob("*.jpg"))]
    return len(means), np.mean(means, axis=0)


def test_generic_style_is_as_before_there_were_styles(tmp_path):
    make(tmp_path / "s", videos=4, frames=14, stills=18, identities=6, seed=3)
    for folder, (number, color) in (("cropped_aligned", GENERIC_CROPS), ("stills/images", GENERIC_STILLS)):
        assert mean_rgb(tmp_path / "s" / folder) == (number, pytest.approx(color, abs=0.1))
    with (tmp_path / "s" / "stills" / "labels.csv").open() as file:
        labels = [(float(row["valence"]), float(row["arousal"])) for row in csv.DictReader(file)]
    assert np.mean(labels, axis=0) == pytest.approx(GENERIC_AFFECT, abs=0.002)
    assert "style" not in json.loads((tmp_path / "s" / "synthetic.json").read_text())


def test_generic_style_is_left_out_of_hashes():
    videos, images = SyntheticVideos(), SyntheticStills()
    assert (
        content_hash(videos)
        == content_hash({"type": "SyntheticVideos", "videos": 40, "frames": 150, "seed": 0})
        != content_hash(replace(videos, style="spontaneous"))
    )
    assert content_hash(images) != content_hash(replace(images, style="posed"))


def test_styles_of_the_settings_are_those_of_the_renderer():
    assert tuple(styles.VIDEO_STYLES) == VIDEO_STYLES and tuple(styles.STILL_STYLES) == STILL_STYLES


def test_styles_do_not_depend_on_the_number_of_workers(tmp_path):
    settings = {"videos": 4, "frames": 14, "stills": 18, "identities": 6, "style": "spontaneous"}
    for name, workers in (("one", 1), ("two", 2)):
        make(tmp_path / name / "s", **settings, workers=workers)
    assert digest(tmp_path / "one" / "s") == digest(tmp_path / "two" / "s")


def test_posed_stills_have_the_classes_of_affectnet(made):
    with (made / "stills" / "labels.csv").open() as file:
        labels = Counter(row["expression"] for row in csv.DictReader(file))
    assert labels == {name.lower(): 6 for name in AFFECTNET}
    images = open_stills(made / "stills").stills("train").with_affectnet_classes()
    assert images.classes == AFFECTNET and set(images.expression.tolist()) == set(range(8))
    names = [path.name for path in images.images]
    with (made / "stills" / "labels.csv").open() as file:
        rows = {row["image"].removeprefix("images/"): row["expression"] for row in csv.DictReader(file)}
    assert [AFFECTNET[code].lower() for code in images.expression] == [rows[name] for name in names]


def test_posed_stills_alone_are_the_stills_of_the_set(made, tmp_path):
    make_stills(tmp_path / "stills", images=48, identities=6, style="posed")
    assert (tmp_path / "stills" / "labels.csv").read_bytes() == (made / "stills" / "labels.csv").read_bytes()
    assert json.loads((tmp_path / "stills" / "synthetic.json").read_text())["style"] == "posed"


def test_spontaneous_videos_have_the_classes_of_the_challenge(made):
    dataset = open_dataset(made)
    assert check_dataset(made).errors == () and set(dataset.tasks()) == {"expr", "va", "au", "mtl"}
    counts = Counter(dataset.labels("expr", "train").targets["expr"].tolist())
    other = EXPRESSIONS.index("Other")
    assert counts[EXPRESSIONS.index("Neutral")] > counts[other] > 30


def test_spontaneous_expressions_are_weaker_than_posed_ones():
    def strongest(style, name):
        rng = np.random.default_rng(0)
        if style == "posed":
            return np.mean([styles.STILL_STYLES["posed"].sample(rng, name, 1.0).action_units.max() for _ in range(50)])
        peaks = []
        for _ in range(50):
            acting = styles.VIDEO_STYLES[style].simulate(rng, 40, [name], 1.0)
            labeled = acting.expression == EXPRESSIONS.index(name)
            unit = ACTION_UNITS.index("AU12")
            peaks.append(acting.action_units[labeled, unit].max())
        return np.mean(peaks)

    spontaneous, generic = strongest("spontaneous", "Happiness"), strongest("generic", "Happiness")
    assert spontaneous < generic - 0.15 < strongest("posed", "Happiness")


def test_contempt_raises_one_corner_of_the_mouth():
    person = replace(stills.subject_identity(0, 1), hair="bald", glasses="none", beard=0.0, moustache=0.0)
    scene = neutral_scene(3)
    scene.light[:] = (0, 0, 1)
    scene.action_units[1:, ACTION_UNITS.index("AU12")] = 0.55
    scene.asymmetry[2] = ONE_SIDED
    light = render_faces(person, scene, np.full((3, 1, 112, 112), 0.3, np.float32))
    change = np.abs(light[:, 1:] - light[:, :1])[:, :, 70:94].sum(axis=(0, 2))
    left, right = change[:, 15:48].sum(axis=1), change[:, 64:97].sum(axis=1)
    even, uneven = left / right
    assert 0.8 < even < 1.25 and max(uneven, 1 / uneven) > 1.5


@pytest.mark.parametrize("settings", [SyntheticVideos, SyntheticStills])
def test_unknown_style_raises(settings):
    with pytest.raises(InputError, match="unknown synthetic.style 'posd'"):
        settings(style="posd")
