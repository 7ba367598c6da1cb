"""The reason of a database error is the reason, however often it was wrapped."""

import errno
import os
import sqlite3
from contextlib import closing

import pytest
import sqlalchemy

from harness.cli import main
from harness.tracking import open_tracker, tracked_records
from harness.tracking.database_errors import explain, first_line, is_disk_full, is_lock_error
from harness.utils.errors import FramelightError
from harness.utils.store import Store
from tests.helpers.other_users import as_user, copy_of_store, needs_root, shared_folder
from tests.helpers.records import record

AUTOFLUSH = "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block)"


class MlflowLikeError(Exception):
    pass


def sqlite_error(text, name=""):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname = name
    return error


def wrapped(error):
    """An error as SQLAlchemy and MLflow wrap it."""
    try:
        try:
            try:
                raise error
            except sqlite3.Error as cause:
                raise sqlalchemy.exc.OperationalError("INSERT", {}, cause) from cause
        except sqlalchemy.exc.OperationalError as cause:
            raise MlflowLikeError(f"{AUTOFLUSH}\n{cause}") from cause
    except MlflowLikeError as result:
        return result


@pytest.mark.parametrize(
    "error, reason, advice",
    [
        (sqlite_error("database is locked", "SQLITE_BUSY"), "locked by another process", "wait for it or end it"),
        (sqlite_error("attempt to write a readonly database", "SQLITE_READONLY"), "no permission to write", "--store"),
        (sqlite_error("database or disk is full", "SQLITE_FULL"), "the disk is full", "free some space"),
        (sqlite_error("file is not a database", "SQLITE_NOTADB"), "damaged or not a sqlite database", "backup"),
        (sqlite_error("database disk image is malformed", "SQLITE_CORRUPT"), "damaged", "backup"),
        (sqlite_error("disk I/O error", "SQLITE_IOERR_LOCK"), "file system has no file locks", "local disk"),
        (sqlite_error("disk I/O error", "SQLITE_IOERR_READ"), "disk I/O error", "other advice"),
        (sqlite_error("no such table: runs", "SQLITE_ERROR"), "no such table: runs", "other advice"),
        (sqlite_error("unable to open database file", "SQLITE_CANTOPEN"), "unable to open", "permissions"),
    ],
    ids=lambda value: str(value).replace(" ", "-") if isinstance(value, sqlite3.Error) else "",
)
def test_reason_is_found_in_the_chain(tmp_path, error, reason, advice):
    database = tmp_path / "mlflow.db"
    database.touch()
    stated, todo = explain(wrapped(error), database, "other advice")
    assert reason in stated and advice in todo and "autoflush" not in stated and "\n" not in stated


def test_missing_folder_is_named(tmp_path):
    stated, _ = explain(sqlite_error("unable to open database file"), tmp_path / "no" / "x.db", "")
    assert stated == f"there is no folder {tmp_path / 'no'}"


def test_reason_of_another_database():
    error = Exception(f"{AUTOFLUSH}\n(psycopg2.errors.OperationalError) too many clients\n[SQL: x]")
    assert first_line(error) == "too many clients"
    assert explain(error, None, "advice") == ("too many clients", "advice")
    assert first_line(ValueError("")) == "ValueError"


def test_chains_that_contain_themselves_end():
    error = ValueError("a")
    error.__cause__ = error
    assert not is_lock_error(error) and not is_disk_full(error)
    error.__context__ = OSError(errno.ENOSPC, "No space left on device")
    assert is_disk_full(error)


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to have a header" * 4])
def test_damaged_database_of_a_store(tmp_path, empty_store, content, capsys):
    store = Store(copy_of_store(empty_store, tmp_path / "store"))
    with closing(sqlite3.connect(store.mlflow_database)):
        store.mlflow_database.write_bytes(content or store.mlflow_database.read_bytes()[:5000])
    assert main(["leaderboard", "--store", str(store)]) == 1
    message = capsys.readouterr().err
    assert "it is damaged or not a sqlite database" in message and "backup" in message
    assert message.count("\n") == 1 and str(store.mlflow_database) in message


@needs_root
def test_database_that_may_not_be_written(empty_store):
    with shared_folder() as folder:
        store = Store(copy_of_store(empty_store, folder / "store"))
        (folder / "store").chmod(0o755)
        store.mlflow_database.chmod(0o644)

        def fails_to_write():
            with pytest.raises(FramelightError) as raised:
                open_tracker(store).start_study("small", "s")
            text = str(raised.value)
            return "mlflow.db" in text and "Permission denied" in text and "umask 002" in text

        as_user(4001, fails_to_write)
        as_user(4001, lambda: tracked_records(store) == [])


@needs_root
def test_two_users_of_a_group_share_a_store(tmp_path):
    """One computes, the other reads, resumes and adds."""
    open_tracker(Store(tmp_path / "warm")).start_study("small", "s")  # imports what the users may not read
    files = tmp_path.parent

    def add(seed):
        tracker = open_tracker(store)
        study = tracker.start_study("small", "s")
        return bool(tracker.log_record(record(seed=seed), None, study))

    with shared_folder() as folder:
        store = Store(folder / "store")
        as_user(4001, lambda: add(0))
        as_user(4002, lambda: len(tracked_records(store)) == 1 and add(0) and add(1))
        as_user(4001, lambda: len(tracked_records(store)) == 2)
        assert os.access(files, os.R_OK)
