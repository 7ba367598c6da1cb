"""Drawn films of one person, of two people and of none, and their crops."""

import shutil

import pytest

from harness.inference.cropping.crop import crop_videos
from harness.inference.cropping.options import CropOptions
from tests.helpers.crop_films import FRAMES, HEIGHT, WIDTH, scene
from tests.helpers.video_files import encode, film


@pytest.fixture(scope="package")
def videos(tmp_path_factory):
    """Films of one person, of two people and of none, and a file that is no video."""
    folder = tmp_path_factory.mktemp("videos")
    encode(folder / "one.mp4", [scene((0, 140 + n)) for n in range(FRAMES)])
    encode(folder / "two.mkv", [scene((1, 80), (2, 230 + n)) for n in range(FRAMES)])
    film(folder / "empty.mp4", 5, WIDTH, HEIGHT)
    (folder / "broken.mp4").write_text("<html>Sign in to download</html>")
    return folder


@pytest.fixture(scope="package")
def cropped(videos, tmp_path_factory):
    """All of them cropped in this process; the result is not to be changed."""
    out = tmp_path_factory.mktemp("cropped") / "out"
    return crop_videos([str(videos)], CropOptions(out, detector="haar")), out


@pytest.fixture
def copied(cropped, videos, tmp_path):
    """A copy of the crops, with a function that crops again."""
    out = shutil.copytree(cropped[1], tmp_path / "out")

    def again(*texts, **options):
        return crop_videos([*map(str, texts or [videos])], CropOptions(out, detector="haar", **options))

    return out, again
