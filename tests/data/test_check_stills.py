import pytest

from harness.cli.main import main
from harness.data.check import check_dataset, render
from tests.helpers.data_folders import table, write
from tests.helpers.still_folders import IMAGES, LISTS, affectnet_2017, affectnet_2021, row_2017, vggface2


def counts(report, split):
    return next(one for one in report.counts if one.split == split)


def test_identities_are_counted(tmp_path):
    report = check_dataset(vggface2(tmp_path))
    train, test = counts(report, "train"), counts(report, "test")
    assert report.errors == () and report.images == report.whole == 7
    assert (train.images, train.subjects, train.boxed, train.expressive) == (5, 2, 3, 0)
    assert (test.images, test.subjects, test.boxed) == (2, 1, 1)
    text = render(report)
    assert "VGGFace2" in text and "\nexpressions\n" not in text and "0 errors, 2 warnings" in text


@pytest.mark.parametrize(
    ("make", "left_out"), [(affectnet_2017, {}), (affectnet_2021, {"labelled as none, uncertain or no face": 1})]
)
def test_expressions_and_affects_are_counted(tmp_path, make, left_out):
    report = check_dataset(make(tmp_path))
    train, validation = counts(report, "train"), counts(report, "validation")
    assert report.problems == () and validation.images == validation.expressive == 8
    assert set(validation.classes.values()) == {1} and train.left_out == left_out and train.subjects is None
    assert train.affects["valence"][0] == (0.5 if make is affectnet_2017 else -0.5)
    text = render(report)
    assert "Contempt" in text and "arousal mean, std" in text and text.endswith("no problems found\n")
    assert all(f"excluded from train: {count} {why}" in text for why, count in left_out.items())


def test_every_malformed_row_is_listed_and_the_rest_counted(tmp_path):
    rows = [row_2017("1/a.jpg", 1), row_2017("1/b.jpg", 12), row_2017("1/c.jpg", 2, 3), row_2017("1/d.jpg", 2)]
    report = check_dataset(affectnet_2017(tmp_path, train=rows))
    assert [(problem.line, problem.kind) for problem in report.errors] == [(3, "expression"), (4, "valence")]
    assert counts(report, "train").images == 2 and counts(report, "validation").images == 8
    assert f"{LISTS}/training.csv:3: expression is 12" in " ".join(render(report).split())
    assert any("Anger, Contempt" in p.message for p in report.warnings if p.kind == "absent class")


def test_broken_image_is_a_warning_and_a_split_without_images_an_error(tmp_path):
    affectnet_2017(tmp_path, validation=[row_2017("v/1.jpg", 1)])
    (tmp_path / IMAGES / "3/t3.jpg").write_bytes(b"\xff\xd8\xff half")
    (tmp_path / IMAGES / "v/1.jpg").unlink()
    report = check_dataset(tmp_path)
    assert [p.message for p in report.warnings if p.kind == "image"] == [
        "the image is truncated or damaged; it is skipped"
    ]
    assert "7 of them readable" in render(report)
    assert [p.kind for p in report.errors] == ["split"] and "none of the 1 images" in report.errors[0].message


def test_table_of_subjects_alone_is_checked_as_stills(tmp_path):
    rows = ("1.jpg,ann,train", "2.jpg,ann,train", "3.jpg,bob,train", "4.jpg,cleo,val", "5.jpg,cleo,val")
    report = check_dataset(table(tmp_path, "image,subject,split", *rows))
    assert report.problems == () and counts(report, "train").subjects == 2
    write(tmp_path / "labels.csv", "image,subject,split", "1.jpg,ann,train", "2.jpg,bob,train", "9.jpg,bob,trian")
    kinds = [problem.kind for problem in check_dataset(tmp_path).errors]
    assert kinds == ["missing image", "no label", "split"]


def test_report_fits_a_terminal(tmp_path):
    for make in (vggface2, affectnet_2017, affectnet_2021):
        lines = render(check_dataset(make(tmp_path / make.__name__))).splitlines()
        assert all(len(line) <= 100 or str(tmp_path) in line for line in lines)


def test_command_exit_code(tmp_path, capsys):
    assert main(["data", "check", str(affectnet_2017(tmp_path))]) == 0
    assert "AffectNet of 2017" in capsys.readouterr().out
    write(tmp_path / LISTS / "training.csv", "nothing")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "training.csv:1: no column subDirectory_filePath" in " ".join(capsys.readouterr().out.split())
