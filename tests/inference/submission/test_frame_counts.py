"""The number of lines in the file of a video, and its sources."""

import av
import numpy as np
import pytest

from harness.inference.submission.frame_counts import LineSources, count_lines, read_line_counts, videos_by_source
from harness.utils.errors import InputError
from harness.video.video_files import find_videos, frame_count, video_path
from tests.helpers import video_files


def film(path, frames):
    """A real video file of so many frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 32
        for i in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), i % 255, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def sources(given=None, videos=None, annotated=None):
    return LineSources(given or {}, videos or {}, annotated or {})


@pytest.mark.parametrize("ending", ["mp4", "avi"])
def test_frames_of_a_real_video_file(tmp_path, ending):
    assert frame_count(film(tmp_path / f"video1.{ending}", 23)) == 23


def test_frames_as_opencv_counts_them(tmp_path):
    cv2 = pytest.importorskip("cv2")
    for frames in (1, 30, 77):
        path = film(tmp_path / f"{frames}.mp4", frames)
        assert frame_count(path) == int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))


def test_container_without_count_is_read_by_its_duration(tmp_path):
    path = film(tmp_path / "video1.mkv", 60)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 0
    assert frame_count(path) == 60


def test_all_fragments_are_counted(tmp_path):
    path = video_files.film(tmp_path / "video1.mp4", 50, keys=10, fragments="frag_keyframe")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 10
    assert frame_count(path) == 50


def test_invalid_video_is_named(tmp_path):
    (tmp_path / "video1.mp4").write_text("nothing")
    with pytest.raises(InputError, match="video1.mp4.*--frames"):
        frame_count(tmp_path / "video1.mp4")


def test_videos_are_found_in_batches_and_by_the_name_without_side(tmp_path):
    film(tmp_path / "batch1" / "30-30-1920x1080.mp4", 2)
    film(tmp_path / "batch2" / "video2_left.avi", 2)
    (tmp_path / "notes.txt").write_text("no video")
    found = find_videos(tmp_path)
    assert video_path("30-30-1920x1080_left", found) == tmp_path / "batch1" / "30-30-1920x1080.mp4"
    assert video_path("video2_left", found).stem == "video2_left"
    assert video_path("video3", found) is None
    film(tmp_path / "batch3" / "video2_left.mp4", 2)
    with pytest.raises(InputError, match="both video 'video2_left'"):
        find_videos(tmp_path)


def test_best_source_counts_and_a_file_has_one_line_more_than_the_video(tmp_path):
    videos = {"a": film(tmp_path / "a.mp4", 10), "b": film(tmp_path / "b.mp4", 10)}
    known = sources({"a": 14}, videos, {"c_left": 9, "d": 8, "e": 7})
    last = {"a": 11, "b": 11, "b_right": 3, "c_left": 8, "d": 12, "e": 0, "f": 6}
    found = count_lines(tuple(last), last, known)
    assert {name: (one.lines, one.source) for name, one in found.items()} == {
        "a": (14, "frames file"),
        "b": (11, "video file"),
        "b_right": (11, "video file"),
        "c_left": (9, "annotation"),
        "d": (12, "last crop"),
        "e": (7, "annotation"),
        "f": (6, "last crop"),
    }
    assert videos_by_source(found) == {"frames file": 1, "video file": 2, "annotation": 2, "last crop": 2}


def test_one_extra_crop_is_accepted_but_not_two(tmp_path):
    film(tmp_path / "a.mp4", 10)
    found = count_lines(("a",), {"a": 12}, sources(videos=find_videos(tmp_path)))
    assert (found["a"].lines, found["a"].extra_crops) == (11, 1)
    with pytest.raises(InputError, match="video 'a'.*10 frames.*11 lines.*last crop is frame 13"):
        count_lines(("a",), {"a": 13}, sources(videos=find_videos(tmp_path)))
    with pytest.raises(InputError, match="video 'a'.*frames file has 5 lines for it.*frame 13"):
        count_lines(("a",), {"a": 13}, sources({"a": 5}))


def test_video_without_source_raises():
    with pytest.raises(InputError, match="'a' has no crop, no video file and no number of frames.*--frames"):
        count_lines(("a",), {"a": 0}, sources())


def test_frames_file_with_and_without_header(tmp_path):
    path = tmp_path / "frames.csv"
    for header in ("", "video,frames\n"):
        path.write_text(f"{header}video1,1506\n\n10-60-1280x720_right, 12\n")
        assert read_line_counts(path) == {"video1": 1506, "10-60-1280x720_right": 12}


@pytest.mark.parametrize(
    "text, said",
    [
        ("video1,10\nvideo2\n", ":2: 'video2'"),
        ("video1,0\n", ":1:"),
        ("video1,10\nvideo1,11\n", ":2: 'video1' has 10 frames in an earlier line and 11"),
        ("video1,1.5\n", ":1:"),
        ("video,frames\n", "no video"),
        ("video1,99999999999\n", ":1: 99999999999 frames of 'video1' exceed"),
        ("video1," + "9" * 5000, ":1: 9{30} frames of 'video1' exceed"),
    ],
)
def test_faulty_frames_file_raises_with_the_line(tmp_path, text, said):
    (tmp_path / "frames.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_line_counts(tmp_path / "frames.csv")


def test_list_of_frames_takes_precedence_over_video_file(tmp_path):
    known = LineSources(videos={"a": film(tmp_path / "a.mp4", 10)}, listed={"a": 14, "b": 5})
    found = count_lines(("a", "b"), {"a": 14, "b": 6}, known)
    assert [(one.lines, one.source, one.extra_crops) for one in found.values()] == [
        (14, "list of frames", 0),
        (5, "list of frames", 1),
    ]
    with pytest.raises(InputError, match="video 'b'.*list of frames has 5 lines for it.*frame 9"):
        count_lines(("b",), {"b": 9}, known)
    assert known.knows("a_left") and known.knows("b") and not known.knows("c")


def test_file_without_video_stream_is_named(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    with pytest.raises(InputError, match="a.mkv: has no video frames.*--frames"):
        frame_count(path)
