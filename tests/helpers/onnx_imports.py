"""Imports of ONNX files: the card and the log, or the error message."""

import pytest

import backbones
from backbones import BackboneError
from backbones.importing.onnx_files import import_onnx
from tests.helpers.logs import captured_logs


def taken(path, classes=None):
    """The card and the log of an import."""
    with captured_logs() as messages:
        folder = import_onnx(path, "entry", path.parent / "entries", classes)
    return backbones.read_card(folder), "\n".join(messages)


def refusal(path, classes=None):
    with pytest.raises(BackboneError) as error:
        taken(path, classes)
    assert not (path.parent / "entries").exists() and str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)
