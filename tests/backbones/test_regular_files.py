"""Named pipes, devices and large files are refused instead of waited for."""

import os
import subprocess
import sys

import pytest

import backbones
from backbones import BackboneError
from backbones.regular_files import open_regular, read_regular, read_regular_text, require_regular


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    return tmp_path / "pipe.jpg"


def test_pipe_and_device_are_refused_at_once(pipe, tmp_path):
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (pipe, tmp_path / "link"):
        for read in (open_regular, read_regular, require_regular):
            with pytest.raises(OSError, match="not a regular file"):
                read(path)
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_file_is_read_up_to_the_limit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one\r\ntwo\r")
    assert read_regular(path, 9) == b"one\r\ntwo\r" and read_regular_text(path) == "one\ntwo\n"
    with pytest.raises(OSError, match="has 9 bytes; at most 8"):
        read_regular(path, 8)


WEIGHTS = """
import sys
from pathlib import Path
import backbones
try:
    backbones.import_file(Path(sys.argv[1]), "mine", Path(sys.argv[2]))
except backbones.BackboneError as error:
    print(error)
"""


def test_pipe_in_place_of_weights_raises(pipe, tmp_path):
    done = subprocess.run([sys.executable, "-c", WEIGHTS, pipe, tmp_path], capture_output=True, text=True, timeout=300)
    assert "cannot be read: not a regular file" in done.stdout, done.stderr


def test_pipe_in_place_of_card_raises(tmp_path):
    os.mkfifo(tmp_path / "card.json")
    with pytest.raises(BackboneError, match="not a regular file"):
        backbones.read_card(tmp_path)
