"""Names that become parts of paths."""

import pytest

from harness.jobs.causal import replay_folder
from harness.leaderboard.significance import SignificanceCache
from harness.tracking.export_records import export_folder
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
        lambda: export_folder(store, name),
        lambda: SignificanceCache(store).statistics(planted),
        lambda: SignificanceCache(store, lambda *_: pytest.fail("asked a server")).statistics(planted),
    ):
        with pytest.raises(InputError, match="is not the name of"):
            ask()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("two words", "-rf", "*")])
def test_a_file_name_is_one_part_of_a_path(name):
    assert not is_file_name(name)


def test_ids_of_this_project_are_ids():
    for name in ("0123456789ab-s0", "0123456789ab", "a", "m-0123456789abcdef", "published-12-0123ab", "held-out"):
        assert is_id(name)
