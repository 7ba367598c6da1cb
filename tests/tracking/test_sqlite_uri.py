"""Paths with characters that have a meaning in URIs name one file, to MLflow and to everything else."""

import doctest
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy

from harness.cli import main
from harness.tracking import artifacts, location, open_tracker, tracked_records
from harness.tracking import sqlite_uri as sqlite_uri_module
from harness.tracking.artifacts import local_path
from harness.tracking.location import locate
from harness.tracking.sqlite_uri import sqlite_path, sqlite_uri
from harness.utils.errors import InputError
from harness.utils.store import Store
from tests.helpers.records import record

NAMES = ["plain", "a b", "a%20b", "100%25", "100% done", "C#course", "what now?", "[x] {y} 'q' é", "a;b&c=d", "a@b:c"]


@pytest.mark.parametrize("module", [sqlite_uri_module, artifacts])
def test_examples_in_docstrings_are_true(module):
    tested = doctest.testmod(module)
    assert tested.attempted and not tested.failed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("existing", [False, True])
def test_sqlalchemy_opens_the_file_itself(tmp_path, name, existing):
    path = tmp_path / name / "x.db"
    path.parent.mkdir()
    uri = sqlite_uri(path, existing)
    assert sqlite_path(uri) == path
    if existing:
        with pytest.raises(sqlalchemy.exc.OperationalError):
            sqlalchemy.create_engine(uri).connect()
        assert not path.exists()
        path.touch()
    engine = sqlalchemy.create_engine(uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE names (name)")
    engine.dispose()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall()


@pytest.mark.parametrize("name, tracking_uri", [("a%20b", False), ("C#course", True), ("what now?", True)])
def test_store_of_any_name_is_one_folder(tmp_path, monkeypatch, name, tracking_uri):
    monkeypatch.chdir(tmp_path)
    folder, store = tmp_path / name, Store(tmp_path / name)
    if tracking_uri:
        folder.mkdir()
        store = Store(tmp_path / name, sqlite_uri(folder / "other.db"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a")
    tracker = open_tracker(store)
    run = tracker.log_record(record(), tmp_path / "files", tracker.start_study("small", "s"))
    assert tracker.download_file(run, "a.txt", tmp_path / "files" / "b.txt")
    assert len(tracked_records(store)) == 1
    assert {entry.name for entry in tmp_path.iterdir()} == {name, "files"}
    assert len(list(folder.glob("artifacts/mlflow/*/artifacts/a.txt"))) == 1
    assert {entry.name for entry in folder.glob("*.db")} == {"other.db" if tracking_uri else "mlflow.db"}


@pytest.mark.parametrize("name, written", [("a b", "a%20b"), ("a%20b", "a%20b"), ("a%20b", "a%2520b"), ("a b", "a b")])
def test_uri_of_a_user_names_the_folder_that_exists(tmp_path, name, written):
    (tmp_path / name).mkdir()
    given = locate(Store(tmp_path / "store", f"sqlite:///{tmp_path}/{written}/x.db"))
    assert given.database == tmp_path / name / "x.db"


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_database_in_memory_is_refused(tmp_path, uri):
    with pytest.raises(InputError, match=r"in memory.*use sqlite:///FILE"):
        locate(Store(tmp_path, uri))


def test_store_whose_name_is_not_utf8_is_refused_and_printed(tmp_path, capsys):
    (tmp_path / "caf\udce9").mkdir()
    assert main(["leaderboard", "--store", str(tmp_path / "caf\udce9")]) == 2
    assert "caf\\udce9, is not valid UTF-8" in capsys.readouterr().err


def test_other_forms_of_sqlite_uris(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in ("sqlite:///x.db", "sqlite+pysqlite:///x.db", f"sqlite:///{tmp_path}/x.db?timeout=5"):
        assert locate(Store(tmp_path, uri)).database.absolute() == tmp_path / "x.db"
    assert locate(Store(tmp_path, "sqlite:///~/x.db")).database == tmp_path / "x.db"
    assert locate(Store(tmp_path, "sqlite:///x.db")).uri == "sqlite:///x.db"


def test_plain_stores_keep_their_uris(tmp_path):
    store = Store(tmp_path / "a store").resolve()
    place = locate(store)
    assert place.uri == f"sqlite:///{store.mlflow_database}" and place.artifacts == str(store.mlflow)


@pytest.mark.parametrize("name", NAMES)
def test_artifact_folder_is_found_again(tmp_path, name):
    place = location.Location(Store(tmp_path / name), "sqlite:///x.db")
    assert local_path(f"{place.artifacts}/run/artifacts") == place.store.mlflow / "run" / "artifacts"
