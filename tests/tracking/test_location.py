from pathlib import Path

import pytest

from harness.tracking.location import locate
from harness.utils.errors import InputError
from harness.utils.store import Store


@pytest.mark.parametrize("name", ["runs", "my runs", "deep/er/mlruns"])
def test_folder_uri_raises_with_valid_uri(tmp_path, monkeypatch, name):
    folder = tmp_path / name
    monkeypatch.chdir(tmp_path)
    for uri in (name, str(folder), folder.as_uri(), f"{folder.as_uri()}/"):
        with pytest.raises(InputError, match="is a folder, and MLflow no longer supports file stores") as caught:
            locate(Store(tmp_path / "store", uri))
        given = str(caught.value).partition("use ")[2].partition(" or http")[0]
        assert given == f"sqlite:///{folder}/mlflow.db" and given.startswith("sqlite:////")
        assert locate(Store(tmp_path / "store", given)).database == folder / "mlflow.db"


def test_home_is_expanded(tmp_path):
    with pytest.raises(InputError, match=f"sqlite:///{Path.home()}/mlruns/mlflow.db"):
        locate(Store(tmp_path, "~/mlruns"))
