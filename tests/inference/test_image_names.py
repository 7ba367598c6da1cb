"""Names of image files in `images.csv`."""

import csv
from pathlib import Path

from harness.inference.predict_files import _write_names
from harness.utils.escaping import unescape_csv


def test_names_of_images_are_no_formulas_and_no_control_characters(tmp_path):
    names = ["00001.jpg", "=cmd|'x'!A0.jpg", "-1.jpg", "esc\x1b[2J.jpg", "new\nline.jpg", "latin\udce9.jpg", "'=a.jpg"]
    _write_names([(number, Path(name)) for number, name in enumerate(names, 1)], tmp_path / "images.csv")
    text = (tmp_path / "images.csv").read_text()
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["image"] for row in rows] == [
        "00001.jpg",
        "'=cmd|'x'!A0.jpg",
        "'-1.jpg",
        "esc\\x1b[2J.jpg",
        "new\\nline.jpg",
        "latin\\udce9.jpg",
        "''=a.jpg",
    ]
    assert [unescape_csv(row["image"]) for row in rows][:3] == names[:3]
