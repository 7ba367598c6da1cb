"""Selection of the crops for int8 calibration."""

from pathlib import Path

from harness.export import calibration
from harness.export.calibration import spread_evenly, training_crops
from tests.helpers.drawn_stills import draw


def named(video, count):
    return tuple(Path(f"{video}/{i:05}.jpg") for i in range(1, count + 1))


def test_videos_contribute_equally():
    videos = [named("long", 100), named("short", 3), named("middle", 40), ()]
    found = spread_evenly(videos, 33)
    counts = {name: sum(path.parent.name == name for path in found) for name in ("long", "short", "middle")}
    assert counts == {"long": 15, "short": 3, "middle": 15}
    assert len(set(found)) == 33


def test_crops_are_spread_evenly_within_a_video():
    found = spread_evenly([named("one", 100)], 4)
    assert [int(path.stem) for path in found] == [13, 38, 63, 88]


def test_sample_is_limited_by_available_crops():
    assert len(spread_evenly([named("a", 2), named("b", 5)], 256)) == 7
    assert len(spread_evenly([named(f"v{i}", 9) for i in range(10)], 7)) == 7
    assert spread_evenly([], 5) == []


def test_images_of_other_splits_do_not_calibrate(tmp_path, monkeypatch):
    """A block of an image table has rows of every split."""
    table, read = draw(tmp_path / "faces"), []
    decode = calibration.decode_image
    monkeypatch.setattr(calibration, "decode_image", lambda path, upright: read.append(path) or decode(path, upright))
    assert len(training_crops(table, "expr", 1000)) == 64
    assert sorted(read) == [path for path, split in zip(table.paths, table.split) if split == "train"]
