"""Upper limit of the number of frames, compared with the frames that are decoded."""

import numpy as np
import pytest
from PIL import Image

from harness.video.frame_limit import max_frames
from harness.video.source import open_source
from tests.helpers.shared_data import shared_data
from tests.helpers.video_files import cut, film


def limit_and_frames(path, **options):
    with open_source(str(path), **options) as source:
        return max_frames(source), len(list(source))


@pytest.mark.parametrize("clip", ["grid_bbaf2n.mpg", "pyfeat_single_face.mp4", "intel_head-pose-female.gif"])
def test_packets_of_real_clips(clip):
    limit, frames = limit_and_frames(shared_data() / "clips" / clip)
    assert frames <= limit <= frames + 1


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_packets_of_containers(tmp_path, suffix):
    path = film(tmp_path / f"a.{suffix}", 12)
    assert limit_and_frames(path) == (12, 12)
    assert limit_and_frames(path, seconds=0.2)[0] == 12


def test_header_that_counts_the_first_fragment_alone(tmp_path):
    path = film(tmp_path / "a.mp4", 12, keys=4, fragments="frag_keyframe")
    assert limit_and_frames(path) == (12, 12)


def test_images(tmp_path):
    for number in range(3):
        Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(tmp_path / f"{number}.png")
    assert limit_and_frames(tmp_path) == (3, 3)


def test_truncated_video(tmp_path):
    limit, frames = limit_and_frames(cut(film(tmp_path / "a.mkv", 100), 0.5))
    assert limit is None or frames <= limit < 100
