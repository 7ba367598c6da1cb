"""Names that become parts of paths."""

import ast
import os
import subprocess
import sys

import pytest

from harness.jobs.causal import replay_folder
from harness.leaderboard.significance import SignificanceCache
from harness.utils.errors import InputError
from harness.utils.names import is_file_name, is_id, path_in
from harness.utils.store import Store
from tests.helpers.hostile_records import NAMES
from tests.helpers.records import record


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_path_of_the_store_leads_out_of_it(tmp_path, name):
    store = Store(tmp_path)
    assert not is_id(name)
    planted = record()
    object.__setattr__(planted, "job_id", name)
    for ask in (
        lambda: path_in(tmp_path, name),
        lambda: store.job(name),
        lambda: store.predictions(name),
        lambda: store.mlflow_model(name),
        lambda: replay_folder(store, name),
        lambda: store.exported(name),
        lambda: SignificanceCache(store).statistics(planted),
        lambda: SignificanceCache(store, lambda *_: pytest.fail("asked a server")).statistics(planted),
    ):
        with pytest.raises(InputError, match="is not the name of"):
            ask()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("two words", "-rf", "*")])
def test_a_file_name_is_one_part_of_a_path(name):
    assert not is_file_name(name)


@pytest.mark.parametrize("utf8", ["0", "1"])
def test_names_are_the_same_in_every_locale(utf8):
    script = r"""
import os
from harness.utils.names import canonical_name, name_bytes, storable_name
for name in (b"caf\xc3\xa9", b"cafe\xcc\x81", b"vid\xe9o", b"video1"):
    name = canonical_name(os.fsdecode(name))
    print(ascii((os.fsencode(name), name_bytes(name), storable_name(name))))
print(ascii((os.fsencode(canonical_name("cafe\u0301")), name_bytes("caf\u00e9"), storable_name("caf\u00e9"))))
"""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": utf8}
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, **locale}, capture_output=True, text=True)
    cafe, video = (b"caf\xc3\xa9", b"caf\xc3\xa9", "caf\u00e9"), (b"vid\xe9o", b"vid\xe9o", "vid\\xe9o")
    expected = [cafe, cafe, video, (b"video1", b"video1", "video1"), cafe]
    assert [ast.literal_eval(line) for line in done.stdout.splitlines()] == expected, done.stderr


def test_ids_of_this_project_are_ids():
    for name in ("0123456789ab-s0", "0123456789ab", "a", "m-0123456789abcdef", "published-12-0123ab", "held-out"):
        assert is_id(name)
