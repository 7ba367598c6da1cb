import dataclasses
from functools import partial

import numpy as np
import pytest
from PIL import Image

import backbones
from harness import Augmentation
from harness.data.image_decoding import decode_image
from harness.training.backbones.batch_transforms import ImageTransform
from harness.training.backbones.images import load_images
from harness.training.backbones.loader import iter_image_batches
from harness.training.backbones.stage_checkpoints import StageCheckpoints
from harness.utils.errors import InputError
from tests.helpers.drawn_stills import draw

SPEC = backbones.spec("tiny_resnet").preprocessing


def test_pixels_equal_backbone_preprocessing(tmp_path):
    stills, spec = draw(tmp_path / "table").stills("validation"), backbones.spec("tiny_mobilenet")
    inputs = ImageTransform(spec.preprocessing, Augmentation())
    ours = [
        inputs.eval_transform(batch) for batch in iter_image_batches(load_images(stills, SPEC), np.arange(len(stills)))
    ]
    theirs = np.stack([backbones.prepare(decode_image(path), spec) for path in stills.images])
    assert np.allclose(np.concatenate(ours), theirs, atol=1e-5)


@pytest.mark.parametrize("keep", [True, False])
def test_corrupt_stills_are_named_and_left_out(tmp_path, keep, logged):
    stills = draw(tmp_path / "table").stills("train")
    whole = load_images(stills, SPEC)
    stills.images[3].write_bytes(b"not an image")
    found = load_images(stills, SPEC, keep=keep)
    good = np.delete(np.arange(len(stills)), 3)
    assert len(found) == len(found.stills.subject) == len(stills) - 1
    assert np.array_equal(found.get(np.arange(len(found))), whole.images[good])
    assert np.array_equal(found.stills.expression, stills.expression[good])
    assert len(logged) == 1 and stills.images[3].name in logged[0]
    for path in stills.images:
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 64 images can be read"):
        load_images(stills, SPEC, keep=keep)


def test_unreadable_images_are_cached(tmp_path, logged):
    stills = draw(tmp_path / "table").stills("train")
    stills.images[3].write_bytes(b"not an image")
    recall = partial(StageCheckpoints(tmp_path / "work", "a training").get_or_compute, "unreadable")
    first = load_images(stills, SPEC, keep=False, recall=recall)
    stills.images[5].write_bytes(b"not an image either")
    second = load_images(stills, SPEC, keep=False, recall=recall)
    assert first.stills.images == second.stills.images and logged[0] == logged[1]


def test_face_is_cut_by_its_box_and_margin_and_a_box_outside_leaves_its_still_out(tmp_path, logged):
    stills = draw(tmp_path / "table").stills("train").take(np.arange(4))
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    for path in stills.images:
        Image.fromarray(pixels).save(path)
    boxes = np.array([[100, 50, 140, 130], [np.nan] * 4, [400, 50, 440, 130], [0, 0, 300, 200]], np.float32)
    found = load_images(dataclasses.replace(stills, boxes=boxes), SPEC, (0.25, 0.5))
    assert len(logged) == 1 and stills.images[2].name in logged[0] and "box" in logged[0]
    wanted = [pixels[10:170, 90:150], pixels, pixels]
    assert np.array_equal(found.images, [backbones.resize(image, SPEC) for image in wanted])
