"""Batches of a training do not depend on which threads decode them."""

import dataclasses

import numpy as np
import pytest
import torch

import backbones
from harness.training.backbones.images import load_images
from harness.training.backbones.loader import BalancedOrder, ImageLoader, ShuffledOrder, iter_image_batches
from harness.training.fit import Shard
from harness.utils.errors import FramelightError, InputError
from tests.helpers.drawn_stills import draw

SPEC = backbones.spec("tiny_resnet").preprocessing


@pytest.fixture(scope="module")
def stills(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("stills") / "table").stills("train")


def loader(pictures, workers=0, rows=None, batch=8, step=16, order=None):
    rows = np.arange(len(pictures)) if rows is None else rows
    targets = {"row": (torch.from_numpy(rows), torch.ones(len(rows), dtype=torch.bool))}
    return ImageLoader(pictures, rows, targets, order or ShuffledOrder(len(rows), 0), step, batch, workers)


def flat(batches):
    batches = list(batches)
    return [images for images, _ in batches], [targets["row"][0] for _, targets in batches]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_streamed_batches_are_those_from_memory_bit_for_bit(stills, workers):
    memory, streamed = load_images(stills, SPEC), load_images(stills, SPEC, keep=False)
    assert memory.images is not None and streamed.images is None
    rows = np.arange(3, 60)
    for epoch, part in ((0, Shard()), (1, Shard(1, 2))):
        one = flat(loader(memory, 0, rows)(epoch, part))
        two = flat(loader(streamed, workers, rows)(epoch, part))
        assert len(one[0]) == len(two[0]) == 6
        for left, right in zip(one[0] + one[1], two[0] + two[1]):
            assert torch.equal(left, right)
    plain = [torch.cat(list(iter_image_batches(pictures, rows, workers))) for pictures in (memory, streamed)]
    assert torch.equal(*plain) and np.array_equal(plain[0], memory.images[rows])


def test_images_stay_with_their_targets(stills):
    pictures = load_images(stills, SPEC)
    for images, targets in loader(pictures)(0, Shard()):
        assert np.array_equal(images.numpy(), pictures.images[targets["row"][0].numpy()])


def test_shards_share_every_batch(stills):
    pictures = load_images(stills, SPEC)
    whole = flat(loader(pictures)(2, Shard()))[1]
    parts = [flat(loader(pictures)(2, Shard(index, 2)))[1] for index in (0, 1)]
    for batch, left, right in zip(whole, *parts):
        assert batch[0::2].tolist() == left.tolist() and batch[1::2].tolist() == right.tolist()


def test_batches_that_processes_cannot_share_equally_raise_before_the_first(stills):
    source = loader(load_images(stills, SPEC, keep=False))
    with pytest.raises(InputError, match="batches of 8 images cannot be shared equally by 3 processes; choose"):
        next(source(0, Shard(0, 3)))


def test_epoch_is_whole_steps_of_other_rows_each_time(stills):
    pictures = load_images(stills, SPEC)
    source = loader(pictures, rows=np.arange(60))
    epochs = [torch.cat(flat(source(epoch, Shard()))[1]).tolist() for epoch in (0, 0, 1)]
    assert source.rows_per_epoch == 48 and len(set(epochs[0])) == 48
    assert epochs[0] == epochs[1] != epochs[2]
    assert loader(pictures, rows=np.arange(5)).rows_per_epoch == 5


def test_missing_image_raises_during_training(tmp_path):
    stills = draw(tmp_path / "table").stills("train")
    pictures = load_images(stills, SPEC, keep=False)
    stills.images[40].unlink()
    with pytest.raises(FramelightError, match=f"{stills.images[40].name}.*when the training began"):
        list(loader(pictures, workers=2)(0, Shard()))


def test_abandoned_loader_leaves_no_thread(stills):
    import threading

    before = threading.active_count()
    batches = loader(load_images(stills, SPEC, keep=False), workers=3)(0, Shard())
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before


def test_balanced_sampling():
    labels = np.array([0] * 40 + [1] * 8 + [2] * 2 + [-1] * 5)
    order = BalancedOrder(labels, seed=0)
    epochs = [order(epoch) for epoch in range(2)]
    for rows in epochs:
        assert np.bincount(labels[rows] + 1, minlength=4).tolist() == [5, 16, 17, 17]
        assert len(set(rows[labels[rows] == 0])) == 16
        assert np.bincount(rows[labels[rows] == 1]).max() - np.bincount(rows)[40:48].min() <= 1
        assert set(rows[labels[rows] == -1]) == set(range(50, 55))
    assert not np.array_equal(*epochs) and np.array_equal(epochs[0], BalancedOrder(labels, seed=0)(0))
    assert not np.array_equal(epochs[0], dataclasses.replace(order, seed=1)(0))
