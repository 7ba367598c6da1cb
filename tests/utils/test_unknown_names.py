"""Errors for unknown names: a suggestion or a list; long lists are wrapped, the most similar name first."""

import pytest

from backbones.errors import unknown_name_error as unknown_backbone_error
from harness.utils.errors import unknown_name_error

NAMES = [f"network_{number:02}" for number in range(20)]


@pytest.mark.parametrize("error", [unknown_name_error, unknown_backbone_error])
@pytest.mark.parametrize("columns", [60, 80])
def test_unknown_name(error, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert str(error("kernel", "medain", ["median", "sum"])) == "unknown kernel 'medain'; did you mean median?"
    assert str(error("kernel", "zz", ["mean", "sum"])) == "unknown kernel 'zz'; known: mean, sum"
    first, *lines = str(error("backbone", "7z", NAMES)).splitlines()
    assert first == "unknown backbone '7z'; known:" and lines[0].startswith("  network_07, ")
    assert max(map(len, lines)) <= columns
    assert sorted(" ".join(lines).replace(",", "").split()) == NAMES


def test_number_of_listed_names():
    names = [f"network_{number:02}" for number in range(23)]
    assert str(unknown_backbone_error("backbone", "7z", names)).endswith(" and 3 more")
    message = str(unknown_name_error("backbone", "7z", names))
    assert all(name in message for name in names) and "more" not in message
