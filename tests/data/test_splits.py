"""Splits and folds, and label counts for their stratification."""

import numpy as np
import pytest

from harness import Protocol
from harness.data.registry import open_dataset
from harness.data.splits import label_counts_by_unit, make_splits
from harness.metrics.tasks import get_task
from tests.helpers.data_folders import AU, EXPR, VA, annotate, small_abaw3


def rows(labels):
    return sorted(zip((labels.sequences[i] for i in labels.sequence), labels.frame.tolist()))


@pytest.fixture
def dataset(small_set):
    return open_dataset(small_set)


@pytest.mark.parametrize("name", ["expr", "va", "au", "mtl"])
@pytest.mark.parametrize("protocol", [Protocol(), Protocol(folds=3)])
def test_split_partitions_rows_and_keeps_groups_together(dataset, name, protocol):
    training = dataset.labels(name, "train")
    for division in make_splits(protocol, get_task(name), training):
        assert rows(division.fit) + rows(division.selection) and sorted(
            rows(division.fit) + rows(division.selection)
        ) == rows(training)
        groups = [{side.groups[unit] for unit in np.unique(side.unit)} for side in (division.fit, division.selection)]
        assert not groups[0] & groups[1]


def test_folds_select_on_every_row_once(dataset):
    training = dataset.labels("expr", "train")
    divisions = make_splits(Protocol(folds=4), get_task("expr"), training)
    assert len(divisions) == 4
    assert sorted(sum((rows(division.selection) for division in divisions), [])) == rows(training)


def test_label_counts_by_unit(tmp_path):
    root = small_abaw3(tmp_path)
    annotate(root, EXPR, "Train_Set", "video1_left", [-1, -1, 7, 7, 0])
    annotate(root, VA, "Train_Set", "video1_left", ["0,0", "-0.5,0.5", "-0.5,0.5", "-5,-5", "0.5,-0.5"])
    annotate(root, AU, "Train_Set", "video1_left", ["1" + ",0" * 11, "1" + ",0" * 11, "-1" + ",1" * 11])

    def counted(name):
        labels = open_dataset(root).labels(name, "train")
        return label_counts_by_unit(get_task(name), labels)[labels.units.index("video1_left")].tolist()

    assert counted("expr") == [3, 1, 0, 0, 0, 0, 0, 0, 2]
    assert counted("va") == [4, 0, 2, 1, 1]
    assert counted("au") == [2, 2] + [0] * 11
