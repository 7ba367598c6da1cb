"""Imports of ONNX files: the card and the log, or the error message."""

import pytest

import backbones
from backbones import BackboneError, ImportOptions
from backbones.importing.onnx_files import import_onnx
from tests.helpers.logs import captured_logs

HSEMOTION = ImportOptions(like="hsemotion")
"""Options for files that contain neither their preprocessing nor class names."""


def taken(path, **options):
    """The card and the log of an import, like HSEmotion's networks unless the options say otherwise."""
    with captured_logs() as messages:
        folder = import_onnx(path, "entry", path.parent / "entries", ImportOptions(**{"like": "hsemotion", **options}))
    return backbones.read_card(folder), "\n".join(messages)


def refusal(path, **options):
    with pytest.raises(BackboneError) as error:
        taken(path, **options)
    assert not (path.parent / "entries").exists() and str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)
