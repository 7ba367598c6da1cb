import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.annotation_faults import frame_faults, multitask_faults
from harness.data.annotations import read_frames, read_multitask
from harness.data.image_rows import read_image_rows, read_test_list
from harness.utils.errors import InputError
from tests.helpers.data_folders import ABSENT, AU, EXPR, HEADERS, MTL_HEADER, VA, write


def test_reads_expressions_va_and_action_units(tmp_path):
    expr = read_frames(write(tmp_path / "e.txt", HEADERS[EXPR], "0", "-1", "7"), "expr")
    va = read_frames(write(tmp_path / "v.txt", HEADERS[VA], "0.25,-1", "-5,0.5", "-5.0,-5"), "va")
    au = read_frames(write(tmp_path / "a.txt", HEADERS[AU], ABSENT, "-1" + ",1" * 11), "au")
    assert expr.dtype == np.int64 and expr.tolist() == [0, -1, 7]
    assert va.dtype == np.float32 and va.tolist() == [[0.25, -1], [-5, 0.5], [-5, -5]]
    assert au.dtype == np.int8 and au.tolist() == [[0] * 12, [-1] + [1] * 11]


def test_byte_order_mark_line_ends_and_blank_lines_are_accepted(tmp_path):
    path = tmp_path / "v.txt"
    path.write_bytes(b"\xef\xbb\xbfvalence, arousal\r\n 0.5, -0.5 \r\n0,1\r\n\r\n")
    assert read_frames(path, "va").tolist() == [[0.5, -0.5], [0, 1]]


def test_header_is_skipped_exactly_once(tmp_path):
    path = write(tmp_path / "e.txt", HEADERS[EXPR], HEADERS[EXPR], "1")
    with pytest.raises(InputError, match=r"e\.txt:2: 8 columns"):
        read_frames(path, "expr")


@pytest.mark.parametrize(
    ("task", "lines", "line", "words"),
    [
        ("expr", ["0", "1"], 1, "the header is '0'; it must be 'Neutral,Anger"),
        ("expr", [HEADERS[AU], "0"], 1, "the header is 'AU1,AU2"),
        ("va", [HEADERS[VA], "0.1,0.2", "0.1,happy"], 3, "arousal is 'happy', not a number"),
        ("va", [HEADERS[VA], "0.1,0.2", "0.3"], 3, "1 column, but 2 are needed"),
        ("va", [HEADERS[VA], "0.1,0.2,0.3"], 2, "3 columns, but 2 are needed"),
        ("va", [HEADERS[VA], "0.1,1.001"], 2, "arousal is 1.001; it must be a number from -1 to 1"),
        ("va", [HEADERS[VA], "-4,0"], 2, "valence is -4; it must be"),
        ("va", [HEADERS[VA], "inf,0"], 2, "valence is inf; it must be"),
        ("va", [HEADERS[VA], "0.1;0.2"], 2, "(valence,arousal); separate them by commas, not semicolons"),
        ("va", [HEADERS[VA], "0.1\t0.2"], 2, "separate them by commas, not tabs"),
        ("va", [HEADERS[VA], "0,1_0"], 2, "arousal is '1_0', not a number"),
        ("expr", [HEADERS[EXPR], "7", "8"], 3, "expression is 8; it must be a class from 0 to 7"),
        ("expr", [HEADERS[EXPR], "-2"], 2, "expression is -2; it must be"),
        ("expr", [HEADERS[EXPR], "1.5"], 2, "expression is 1.5; it must be a class from 0 to 7"),
        ("expr", [HEADERS[EXPR], "happy"], 2, "expression is 'happy', not an integer"),
        ("expr", [HEADERS[EXPR], "1.0", " ", "2.0"], 3, "the line is blank"),
        ("au", [HEADERS[AU], "0.5" + ",0" * 11], 2, "AU1 is 0.5; it must be 0, 1, or -1 for no label"),
        ("au", [HEADERS[AU], "1_0" + ",0.0" * 11], 2, "AU1 is '1_0', not an integer"),
        ("expr", [HEADERS[EXPR], "9" * 40], 2, "it must be a class from 0 to 7"),
        ("expr", [HEADERS[EXPR], "1", "", "2"], 3, "the line is blank"),
        ("au", [HEADERS[AU], ABSENT, "0,2" + ",0" * 10], 3, "AU2 is 2; it must be 0, 1, or -1"),
        ("au", [HEADERS[AU], "0,1"], 2, "2 columns, but 12 are needed"),
    ],
)
def test_malformed_line_is_named(tmp_path, task, lines, line, words):
    path = write(tmp_path / "video9.txt", *lines)
    with pytest.raises(InputError) as caught:
        read_frames(path, task)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty; its first line must be 'valence,arousal'"),
        (b"valence,arousal\n", "the file is empty: no line follows its header"),
        (b"\xff\xd8\xff\xe0", "not a text file"),
    ],
)
def test_empty_or_binary_annotation_raises(tmp_path, content, words):
    path = tmp_path / "video1.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_frames(path, "va")


@pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "NA", "N/A", "None", "null", "<NA>", "-", "-1.#IND"])
def test_words_for_missing_values_are_no_label(tmp_path, word):
    """Programs write them for missing values; a blank line is an error, as it may be a line too many."""
    va = read_frames(write(tmp_path / "v.txt", HEADERS[VA], f"{word},0.5", "0,1"), "va")
    au = read_frames(write(tmp_path / "a.txt", HEADERS[AU], ",".join([word] * 12), "1.0" + ",0.0" * 11), "au")
    assert va.tolist() == [[-5, 0.5], [0, 1]] and au.tolist() == [[-1] * 12, [1] + [0] * 11]
    if word.strip():
        assert read_frames(write(tmp_path / "e.txt", HEADERS[EXPR], word, "7.0"), "expr").tolist() == [-1, 7]
    row = f"video1/00001.jpg,{word},{word},{word},{','.join([word] * 12)}"
    _, targets = read_multitask(write(tmp_path / "m.txt", MTL_HEADER, row, f"video1/00002.jpg,0,0,1.0,{ABSENT}"))
    assert targets["va"].tolist() == [[-5, -5], [0, 0]] and targets["expr"].tolist() == [-1, 1]
    assert targets["au"][0].tolist() == [-1] * 12 and targets["au"].dtype == np.int8


@pytest.mark.parametrize("number", ["1.0", "1e0", "+1", "1.", " 01 ", "10e-1"])
def test_integers_may_be_written_as_floats(tmp_path, number):
    expr = read_frames(write(tmp_path / "e.txt", HEADERS[EXPR], number, "-1.0", "0"), "expr")
    assert expr.dtype == np.int64 and expr.tolist() == [1, -1, 0]
    au = read_frames(write(tmp_path / "a.txt", HEADERS[AU], ",".join([number] * 12), "-1.0" + ",0" * 11), "au")
    assert au.dtype == np.int8 and au.tolist() == [[1] * 12, [-1] + [0] * 11]


def test_booleans_are_action_units_only(tmp_path):
    cells = ["True", "False", "nan", "true", "-1", "1.0", *"010101"]
    assert read_frames(write(tmp_path / "a.txt", HEADERS[AU], ",".join(cells)), "au").tolist() == [
        [1, 0, -1, 1, -1, 1, 0, 1, 0, 1, 0, 1]
    ]
    with pytest.raises(InputError, match=r"a.txt:2: AU2 is 'Yes', not an integer"):
        read_frames(write(tmp_path / "a.txt", HEADERS[AU], "True,Yes" + ",False" * 10), "au")
    with pytest.raises(InputError, match="expression is 'True', not an integer"):
        read_frames(write(tmp_path / "e.txt", HEADERS[EXPR], "True"), "expr")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_read(tmp_path, encoding):
    path = tmp_path / "v.txt"
    path.write_bytes("valence,arousal\r\n0.5,-0.5\r\n".encode(encoding))
    assert read_frames(path, "va").tolist() == [[0.5, -0.5]]


def test_list_in_another_encoding_is_refused_with_its_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("video1\ncaf\u00e9\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"not a text file in UTF-8 \(byte 0xe9 on line 2\); save it as UTF-8"):
        read_test_list(path)


def test_every_fault_of_a_file_is_listed(tmp_path):
    path = write(tmp_path / "v.txt", HEADERS[VA], "0,0", "2,0", "0,0", "a,0", "0")
    assert [fault.line for fault in frame_faults(path, "va")] == [3, 5, 6]


def test_multitask_rows_keep_order_duplicates_and_five_digit_frames(tmp_path):
    path = write(
        tmp_path / "m.txt",
        MTL_HEADER,
        f"video48/10000.jpg,-5.0,-5.0,4,-1{',-1' * 11}",
        f"10-60-1280x720_right/00001.jpg,0.5,-0.25,-1,{ABSENT}",
        f"video48/10000.jpg,-5,-5,4,-1{',-1' * 11}",
    )
    rows, targets = read_multitask(path)
    assert rows.videos == ("10-60-1280x720_right", "video48")
    assert rows.index.tolist() == [1, 0, 1] and rows.frame.tolist() == [10000, 1, 10000]
    assert targets["va"].tolist() == [[-5, -5], [0.5, -0.25], [-5, -5]]
    assert targets["expr"].tolist() == [4, -1, 4]
    assert targets["au"][:, 0].tolist() == [-1, 0, -1] and targets["au"].shape == (3, 12)
    assert read_image_rows(path).frame.tolist() == [10000, 1, 10000]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"video1.jpg,0,0,1,{ABSENT}", "image is 'video1.jpg'; it must be video/frame"),
        (f"video1/00001.jpg,0,1.5,1,{ABSENT}", "arousal is 1.5"),
        (f"video1/00001.jpg,0,0,8,{ABSENT}", "expression is 8"),
        (f"video1/00001.jpg,0,0,1,{ABSENT[:-1]}3", "AU26 is 3"),
        (f"video1/00001.jpg,0,0,1,{ABSENT[:-2]}", "15 columns, but 16 are needed"),
        (f"video1/00001.jpg,0,x,1,{ABSENT}", "arousal is 'x', not a number"),
    ],
)
def test_malformed_multitask_row_is_named(tmp_path, row, words):
    path = write(tmp_path / "train_set.txt", MTL_HEADER, f"video1/00001.jpg,0,0,1,{ABSENT}", row)
    with pytest.raises(InputError) as caught:
        read_multitask(path)
    assert str(caught.value).startswith(f"{path}:3: ") and words in str(caught.value)
    assert [fault.line for fault in multitask_faults(path)] == [3]


def test_columns_that_only_add_up_over_two_rows_raise(tmp_path):
    path = write(
        tmp_path / "train_set.txt",
        MTL_HEADER,
        f"video1/00001.jpg,0,0,1,{ABSENT},0",
        f"video1/00002.jpg,0,0,1,{ABSENT[:-2]}",
    )
    with pytest.raises(InputError, match=r":2: 17 columns"):
        read_multitask(path)


def test_test_lists(tmp_path):
    names = read_test_list(write(tmp_path / "list.txt", "video9_right", "3-1-640x480", "", "video9_right"))
    assert names == ("video9_right", "3-1-640x480")
    images = read_image_rows(write(tmp_path / "mtl.txt", MTL_HEADER, "video1/00002.jpg", "video1/00010.jpg,"))
    assert images.videos == ("video1",) and images.frame.tolist() == [2, 10]
    with pytest.raises(InputError, match="the test list is empty"):
        read_test_list(write(tmp_path / "none.txt", ""))
    with pytest.raises(InputError, match=r"bad\.txt:3: 'video1' does not start with an image"):
        read_image_rows(write(tmp_path / "bad.txt", MTL_HEADER, "video1/00002.jpg", "video1"))


NUMBERS = st.one_of(st.integers(-1000, 1000).map(lambda n: n / 1000), st.just(-5.0))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_annotations_round_trip(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("va") / "v.txt"
    write(path, HEADERS[VA], *(f"{v},{a}" for v, a in rows))
    assert np.array_equal(read_frames(path, "va"), np.array(rows, dtype=np.float32))


CELLS = st.text(alphabet="-0123456789,. x\t_e+", max_size=6)


@given(st.lists(CELLS, min_size=1, max_size=6))
def test_fast_and_slow_parser_agree(tmp_path_factory, lines):
    path = write(tmp_path_factory.mktemp("any") / "e.txt", HEADERS[EXPR], *lines)
    faults = list(frame_faults(path, "expr"))
    if faults:
        with pytest.raises(InputError, match=f":{faults[0].line}: "):
            read_frames(path, "expr")
    else:
        cells = [line.strip() for line in path.read_text().rstrip().split("\n")[1:]]
        assert read_frames(path, "expr").tolist() == [-1 if cell == "-" else int(float(cell)) for cell in cells]


@pytest.mark.benchmark
def test_parsing_speed(tmp_path):
    import time

    path = write(tmp_path / "a.txt", HEADERS[AU], *[ABSENT] * 1_000_000)
    start = time.perf_counter()
    assert read_frames(path, "au").shape == (1_000_000, 12)
    assert time.perf_counter() - start < 3
