import json

import numpy as np
import pytest

from harness.data.registry import open_dataset
from harness.data.stills import Stills
from harness.utils.errors import InputError
from tests.helpers.data_folders import image_bytes, table


def some(folder, count=3, **known):
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / f"{i}.jpg" for i in range(count))
    for i, path in enumerate(paths):
        path.write_bytes(image_bytes(shade=100 + i))
    labels = {"subject": np.arange(count) % 2, "subjects": ("ann", "bob"), "expression": np.arange(count) - 1}
    return Stills(paths, **labels | known)


def test_take_keeps_order_and_all_fields(tmp_path):
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    va, au = np.array([[0, 1], [-5, -5], [1, 0]], np.float32), np.eye(3, 12, dtype=np.int8)
    taken = some(tmp_path, va=va, au=au, boxes=boxes, classes=("a", "b")).take([2, 0])
    assert len(taken) == 2 and [path.name for path in taken.images] == ["2.jpg", "0.jpg"]
    assert taken.subject.tolist() == [0, 0] and taken.subjects == ("ann", "bob")
    assert taken.expression.tolist() == [1, -1] and taken.classes == ("a", "b")
    assert taken.va.tolist() == [[1, 0], [0, 1]] and taken.au[:, 2].tolist() == [1, 0]
    assert taken.boxes.tolist() == boxes[[2, 0]].tolist()
    assert some(tmp_path).take([1]).va is None and len(some(tmp_path).take([])) == 0
    masked = some(tmp_path).take(np.array([True, False, True]))
    assert [path.name for path in masked.images] == ["0.jpg", "2.jpg"] and masked.expression.tolist() == [-1, 1]


def test_digest_depends_on_training_content_only(tmp_path):
    here, there = some(tmp_path / "here"), some(tmp_path / "there")
    boxes = np.zeros((3, 4), np.float32)
    assert here.digest() == there.digest()
    different = [
        here.take([0, 1]),
        here.take([1, 0, 2]),
        some(tmp_path / "there", expression=np.zeros(3, np.int64)),
        some(tmp_path / "there", subjects=("ann", "cleo")),
        some(tmp_path / "there", boxes=boxes),
        some(tmp_path / "there", boxes=boxes + 1),
        some(tmp_path / "there", classes=("a", "b")),
    ]
    assert len({here.digest(), *(stills.digest() for stills in different)}) == 8
    there.images[1].write_bytes(image_bytes(shade=5))
    assert here.digest() != there.digest()


def test_digest_is_cached_in_blocks(tmp_path):
    stills, steps = some(tmp_path / "images", 514), []
    first = stills.digest(tmp_path / "digests.json", lambda done, total: steps.append((done, total)))
    assert len(json.loads((tmp_path / "digests.json").read_text())["digests"]) == 2 and steps == [
        (512, 514),
        (514, 514),
    ]
    assert stills.digest(tmp_path / "digests.json") == first == stills.digest()


def test_missing_image_raises(tmp_path):
    stills = some(tmp_path)
    stills.images[1].unlink()
    with pytest.raises(InputError, match=r"1\.jpg: cannot be read"):
        stills.digest()


def test_image_table_gives_stills_of_the_challenge_classes(tmp_path):
    stills = open_dataset(table(tmp_path, "image,expression,split", "1.jpg,anger,train")).stills("train")
    assert stills.classes[stills.expression[0]] == "Anger" and len(stills) == 1 and stills.boxes is None
