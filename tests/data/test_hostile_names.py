"""Names of videos in lists and annotations that would lead out of the folder of crops, or out of a submission."""

import numpy as np
import pytest

from harness.cli import main
from harness.data.check import check_dataset
from harness.data.registry import open_dataset
from harness.features.store import FeatureStore
from harness.utils.errors import InputError
from tests.helpers.data_folders import ANNOTATIONS, crops, small_abaw3

NAMES = (
    "../../planted",
    "/tmp/planted",
    "..",
    ".hidden",
    "a/../../b",
    "..\\planted",
    "C:planted",
    "nul\0",
    "x" * 300,
    "esc\x1b[2J",
)


@pytest.fixture
def data(tmp_path):
    crops(tmp_path, "planted", [1, 2, 3], folder="outside")
    return small_abaw3(tmp_path / "faces" / "set")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_test_list_names_videos_only(data, name):
    path = data / "Expression_Classification_Challenge_test_set_release.txt"
    path.write_text(f"video2\n{name}\n")
    with pytest.raises(InputError, match=r"release.txt:2: .* is not the name of a video"):
        open_dataset(data).sequence_names("expr", "test")
    assert name not in open_dataset(data).sequences


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_list_of_images_names_videos_only(data, name):
    path = data / "MTL_Challenge_test_set_release.txt"
    path.write_text(f"image\nvideo2/00001.jpg\n{name}/00001.jpg\n")
    with pytest.raises(InputError, match=r"release.txt:3: "):
        open_dataset(data).sequence_names("mtl", "test")
    assert name not in open_dataset(data).sequences


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_multi_task_annotations_name_videos_only(data, name):
    path = data / ANNOTATIONS / "MTL_Challenge" / "train_set.txt"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, rows[0], f"{name}/{rows[1].partition('/')[2]}"]) + "\n")
    with pytest.raises(InputError, match=r"train_set.txt:3: "):
        open_dataset(data).labels("mtl", "train")
    assert name not in open_dataset(data).sequences
    report = check_dataset(data)
    assert [(problem.line, problem.severity) for problem in report.errors if problem.file == path] == [(3, "error")]


@pytest.mark.parametrize("name", [*NAMES, ""], ids=range(len(NAMES) + 1))
def test_no_features_are_written_outside_their_entry(tmp_path, name):
    store = FeatureStore(tmp_path / "features" / "inner")
    with pytest.raises(InputError):
        store.write_sequence("0123456789abcdef", name, {"frames": np.zeros(1, np.int32)}, [])
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError):
        store.entry(name)


def test_names_of_real_videos_are_names():
    from harness.utils.names import is_file_name

    for name in ("10-60-1280x720_right", "video1", "vidéo 2", "7-30-640x480", "images-00001", "ab:c", "12.mp4"):
        assert is_file_name(name), name


@pytest.mark.parametrize("text", ["esc\x1b[2J", "new\nline: error", "bidi\u202e"])
def test_data_check_prints_names_on_one_line(data, capsys, text):
    import shutil

    shutil.copytree(data / "cropped" / "video2", data / "cropped" / text)
    (data / "cropped" / text / "00003.jpg").write_bytes(b"no image")
    (data / ANNOTATIONS / "EXPR_Classification_Challenge" / "Train_Set" / f"{text}.txt").write_text("Neutral\n9\n")
    main(["data", "check", str(data)])
    told = capsys.readouterr()
    assert not [c for c in told.out + told.err if not c.isprintable() and c != "\n"]
    assert not [line for line in told.out.splitlines() if line.startswith("line: error")]
    assert text.encode("unicode_escape").decode() in told.out


def test_a_path_in_an_error_message_is_escaped(tmp_path, capsys):
    folder = tmp_path / "a\x1b[2J\nframelight: done"
    for arguments in (("data", "check", folder), ("run", "quickstart", "--data", folder), ("backbones", "x\x1b[1m\ny")):
        assert main(
            [str(part) for part in arguments] + (["--store", str(tmp_path)] if arguments[0] != "data" else [])
        ) in (1, 2)
        err = capsys.readouterr().err
        assert not [c for c in err if not c.isprintable() and c != "\n"]
        assert sum(line.startswith("framelight: ") for line in err.splitlines()) == 1
