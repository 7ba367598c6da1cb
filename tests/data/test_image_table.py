import hashlib

import numpy as np
import pytest

from harness.data.image_table import ImageTable
from harness.data.registry import open_dataset
from harness.utils.errors import InputError
from tests.helpers.data_folders import table
from tests.helpers.shared_data import shared_data

AUS = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


def small(root, **options):
    return table(
        root,
        "image,expression,subject,split,second_opinion",
        "a/1.jpg,neutral,ann,train,",
        "a/2.jpg,Happiness,ann,train,",
        "a/3.jpg,CONTEMPT,bob,train,",
        "b/1.jpg,fear,cleo,val,neutral",
        "b/2.jpg,anger,dan,validation,",
        "b/3.jpg,,dan,validation,",
        **options,
    )


def test_class_names_ignore_case(tmp_path):
    dataset = open_dataset(small(tmp_path / "stills"))
    assert isinstance(dataset, ImageTable) and not dataset.temporal and dataset.name == "stills"
    assert dataset.tasks() == ("expr",)
    assert dataset.labels("expr", "train").targets["expr"].tolist() == [0, 4, 7]


def test_val_means_validation_and_an_empty_cell_is_not_annotated(tmp_path):
    labels = open_dataset(small(tmp_path)).labels("expr", "validation")
    assert labels.targets["expr"].tolist() == [3, 1] and labels.units == labels.groups == ("cleo", "dan")
    assert labels.frame.tolist() == [4, 5] and labels.sequence.tolist() == [0, 0]


def test_csv_file_is_accepted(tmp_path):
    root = small(tmp_path / "stills")
    assert open_dataset(root / "labels.csv").name == "stills"
    (root / "labels.csv").rename(root / "mine.csv")
    assert open_dataset(root / "mine.csv").name == "mine"


def test_sequences_are_blocks_of_512_rows_in_table_order(tmp_path):
    rows = [f"i/{n:04d}.jpg,{'neutral' if n % 2 else 'anger'},train" for n in range(1030)]
    dataset = open_dataset(table(tmp_path, "image,expression,split", *rows, images=False).joinpath("labels.csv"))
    (tmp_path / "i").mkdir()
    for name in ("0000", "0511", "0512", "1029"):
        (tmp_path / f"i/{name}.jpg").write_bytes(b"x")
    assert list(dataset.sequences) == ["images-00000", "images-00001", "images-00002"]
    assert [s.frames.tolist() for s in dataset.sequences.values()] == [[1, 512], [1], [6]]
    assert dataset.sequences["images-00002"].images == (tmp_path / "i/1029.jpg",)
    labels = dataset.labels("expr", "train")
    assert len(labels) == 1030 and labels.frame[512] == 1 and labels.sequence[512] == 1


def test_without_split_column_subjects_are_split_by_the_seed(tmp_path):
    rows = [f"{n}.jpg,{'neutral' if n % 2 else 'anger'},s{n // 3}" for n in range(60)]
    root = table(tmp_path, "image,expression,subject", *rows)

    def units(seed, split):
        return set(open_dataset(root, seed).labels("expr", split).units)

    assert units(0, "train") | units(0, "validation") == {f"s{n}" for n in range(20)}
    assert not units(0, "train") & units(0, "validation") and len(units(0, "validation")) == 4
    assert units(0, "validation") == units(0, "validation") != units(1, "validation")
    assert open_dataset(root, 0).labels_digest("expr", "train") != open_dataset(root, 1).labels_digest("expr", "train")


def test_digest_is_that_of_the_file_and_of_the_seed(tmp_path):
    """Runs are identified by it, so tables of earlier versions must have the same one."""
    root = table(tmp_path, "image,expression", "1.jpg,anger", "2.jpg,fear")
    expected = hashlib.sha256((root / "labels.csv").read_bytes() + b"seed 3").hexdigest()
    assert open_dataset(root, 3).labels_digest("expr", "train") == expected
    root = table(tmp_path, "image,expression,split", "1.jpg,anger,train", "2.jpg,fear,val")
    expected = hashlib.sha256((root / "labels.csv").read_bytes()).hexdigest()
    assert open_dataset(root, 3).labels_digest("expr", "train") == expected


def test_without_subject_column_each_image_is_its_unit(tmp_path):
    root = table(tmp_path, "image,expression,split", "1.jpg,anger,train", "2.jpg,fear,train")
    assert open_dataset(root).labels("expr", "train").units == ("1.jpg", "2.jpg")


def test_valence_arousal_and_action_units_are_optional(tmp_path):
    zeros = ",".join("0" * 12)
    root = table(
        tmp_path,
        f"image,expression,split,valence,arousal,{AUS}",
        f"1.jpg,anger,train,-0.5,0.25,1{zeros[1:]}",
        f"2.jpg,,train,,,{',' * 11}",
        f"3.jpg,,train,1,,{zeros}",
    )
    dataset = open_dataset(root)
    assert dataset.tasks() == ("expr", "va", "au", "mtl")
    assert dataset.labels("va", "train").targets["va"].tolist() == [[-0.5, 0.25], [1, -5]]
    assert dataset.labels("au", "train").targets["au"][:, 0].tolist() == [1, 0]
    assert dataset.labels("mtl", "train").targets["expr"].tolist() == [1, -1]


def test_stills_for_training(tmp_path):
    stills = open_dataset(small(tmp_path)).stills("train")
    assert stills.subjects == ("ann", "bob") and stills.subject.tolist() == [0, 0, 1]
    assert stills.expression.tolist() == [0, 4, 7] and stills.images[2] == tmp_path / "a/3.jpg"
    assert stills.va is None and stills.au is None
    assert open_dataset(tmp_path).stills("validation").expression.tolist() == [3, 1, -1]


def test_stills_have_valence_arousal_and_action_units_where_the_table_has_all_their_columns(tmp_path):
    zeros = ",".join("0" * 12)
    header = f"image,expression,split,valence,arousal,{AUS}"
    root = table(
        tmp_path / "whole",
        header,
        f"1.jpg,anger,train,-0.5,0.25,1{zeros[1:]}",
        f"2.jpg,,train,,,{',' * 11}",
        f"3.jpg,fear,val,1,,{zeros}",
    )
    stills = open_dataset(root).stills("train")
    assert stills.va.tolist() == [[-0.5, 0.25], [-5, -5]] and stills.va.dtype == np.float32
    assert stills.au.tolist() == [[1] + [0] * 11, [-1] * 12] and stills.au.dtype == np.int8
    assert open_dataset(root).stills("validation").va.tolist() == [[1, -5]]
    half = table(tmp_path / "half", "image,expression,split,valence,AU1", "1.jpg,anger,train,0.5,1")
    assert open_dataset(half).stills("train").va is None and open_dataset(half).stills("train").au is None
    wrong = table(tmp_path / "wrong", header, f"1.jpg,anger,train,2,0,{zeros}")
    with pytest.raises(InputError, match=r"labels\.csv:2: valence is 2"):
        open_dataset(wrong).stills("train")


def test_subjects_alone_make_stills_but_no_task(tmp_path):
    rows = ("1.jpg,ann,train", "2.jpg,bob,train", "3.jpg,bob,train", "4.jpg,cleo,val")
    dataset = open_dataset(table(tmp_path, "image,subject,split", *rows))
    assert dataset.tasks() == () and not dataset.has_labels
    stills = dataset.stills("train")
    assert stills.subject.tolist() == [0, 1, 1] and stills.subjects == ("ann", "bob")
    assert stills.expression.tolist() == [-1, -1, -1] and stills.expression.dtype == np.int64
    with pytest.raises(InputError, match="no labels of task 'expr'; available: none"):
        dataset.labels("expr", "train")


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        ("file,expression", ["1.jpg,anger"], r"labels\.csv:1: no column image; the columns are file, expression"),
        (
            "image,valence",
            ["1.jpg,0"],
            r"labels\.csv:1: no column expression or subject; the columns are image, valence",
        ),
        ("image,expression,image", ["1.jpg,anger,1.jpg"], "column image occurs twice"),
        ("image,expression", [], r"labels\.csv:1: no row follows the header"),
        ("", [], "the table is empty"),
    ],
)
def test_table_without_its_columns_raises(tmp_path, header, rows, words):
    with pytest.raises(InputError, match=words):
        open_dataset(table(tmp_path, header, *rows, images=False))


@pytest.mark.parametrize(
    ("header", "row", "task", "words"),
    [
        ("image,expression,split", "2.jpg,happy,train", "expr", "unknown expression 'happy'; did you mean happiness"),
        ("image,expression,split", "2.jpg,anger,trian", "expr", "unknown split 'trian'; did you mean train"),
        ("image,expression,split", "2.jpg,anger,", "expr", "no split; write one of: train"),
        ("image,expression,split", "2.jpg,anger", "expr", "2 columns, but the header has 3"),
        ("image,expression,split,valence,arousal", "2.jpg,anger,train,1.5,0", "va", "valence is 1.5; it must be"),
        ("image,expression,split,valence,arousal", "2.jpg,anger,train,0,low", "va", "arousal is 'low', not a number"),
        (f"image,expression,split,{AUS}", f"2.jpg,anger,train,0,0,7{',0' * 9}", "au", "AU4 is 7; it must be 0, 1"),
    ],
)
def test_malformed_row_is_named(tmp_path, header, row, task, words):
    sound = ",".join(["1.jpg", "fear", "train", *["0"] * (header.count(",") - 2)])
    dataset = open_dataset(table(tmp_path, header, sound, row))
    with pytest.raises(InputError) as caught:
        dataset.labels(task, "train")
    assert str(caught.value).startswith(f"{tmp_path / 'labels.csv'}:3: ") and words in str(caught.value)


def test_line_numbers_count_blank_and_quoted_lines(tmp_path):
    root = table(tmp_path, "image,expression,note", "1.jpg,fear,x", images=True)
    (root / "labels.csv").write_text('image,expression,note\n\n1.jpg,fear,"a\nb"\n1.jpg,joy,\n')
    with pytest.raises(InputError, match=r"labels\.csv:5: unknown expression 'joy'"):
        open_dataset(root).labels("expr", "train")


def test_missing_images_have_no_crop(tmp_path):
    root = small(tmp_path)
    (root / "a/2.jpg").unlink()
    assert open_dataset(root).sequences["images-00000"].frames.tolist() == [1, 3, 4, 5, 6]
    assert open_dataset(root).stills("train").expression.tolist() == [0, 7]
    assert len(open_dataset(root).labels("expr", "train")) == 3
    with pytest.raises(InputError, match="none of its 6 image files exists"):
        open_dataset(small(tmp_path / "other", images=False)).stills("train")


def test_unknown_task_and_split(tmp_path):
    dataset = open_dataset(small(tmp_path))
    with pytest.raises(InputError, match="no labels of task 'va'; available: expr"):
        dataset.labels("va", "train")
    with pytest.raises(InputError, match="unknown split of .*labels.csv 'tset'"):
        dataset.sequence_names("expr", "tset")


def test_shared_faces():
    dataset = open_dataset(shared_data() / "faces")
    train, validation = (dataset.labels("expr", split) for split in ("train", "validation"))
    assert len(train) == 8927 and len(validation) == 1916
    assert not set(train.units) & set(validation.units)
    stills = dataset.stills("train")
    assert len(stills.images) == 8927 and np.array_equal(stills.expression, train.targets["expr"])
