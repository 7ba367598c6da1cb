import json

import pytest

from harness.bench import measurements
from harness.cli import main
from harness.errors import InputError


def test_a_part_is_measured_by_its_name(capsys):
    assert main(["bench", "startup", "--format", "json"]) == 0
    out, told = capsys.readouterr()
    [figure] = json.loads(out)["figures"]
    assert figure["part"] == "startup" and 0 < figure["floor"] < figure["value"]
    assert "measuring startup" in told


@pytest.mark.parametrize("arguments, message", [
    (["smothing"], "unknown benchmark 'smothing'; did you mean smoothing"),
    (["startup", "--plot", "x.png"], "--plot draws what `framelight bench scale` measures"),
])
def test_wrong_input_is_named(capsys, arguments, message):
    assert main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_name_is_refused_before_anything_is_measured():
    with pytest.raises(InputError, match="unknown benchmark 'scael'; did you mean scale"):
        measurements("scael", print)
