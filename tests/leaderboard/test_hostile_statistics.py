"""Files with the statistics of jobs that are damaged, or that someone else has made."""

import io
import zipfile
import zlib
from tokenize import TokenError

import numpy as np
import pytest

from harness.cli import main
from harness.jobs import job_statistics
from harness.jobs.predictions import Predictions
from harness.metrics.counts import MOMENTS
from harness.metrics.unit_statistics import compute_statistics
from harness.tracking.record_json import to_json
from harness.utils.errors import FramelightError
from tests.helpers.hostile_records import tagged, write_database
from tests.helpers.job_statistics import VIDEOS, counts, keep

UNITS = np.array(VIDEOS)
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, TokenError, ValueError)
"""What numpy raises for files in which one byte is wrong."""


def whole():
    file = io.BytesIO()
    np.savez_compressed(file, units=UNITS, expr=counts(0.5))
    return file.getvalue()


def saved(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header_only(shape, dtype="<i8"):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (117 - len(header)) + "\n"
    array, file = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode(), io.BytesIO()
    units = io.BytesIO()
    np.save(units, UNITS)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("units.npy", units.getvalue())
        archive.writestr("expr.npy", array)
    return file.getvalue()


def moments(**changes):
    """Statistics of valence and arousal, with columns changed in the first unit."""
    values = np.tile([200.0, 0.1, 0.2, 20.0, 30.0, 15.0], (30, 2, 1))
    for name, value in changes.items():
        values[0, :, MOMENTS.index(name)] = value
    return values


AFFECTS_THAT_CANNOT_BE = {
    "huge mean": moments(mean_pred=1e9),
    "mean of labels": moments(mean_true=-5.0),
    "huge squares": moments(ss_pred=1e12),
    "squares of labels": moments(ss_true=801.0),
    "huge product": moments(ss_both=1e9),
    "product above the squares": moments(ss_both=30.0),
    "mean of no rows": moments(n=0.0),
    "half a row": moments(n=200.5),
    "rows of valence alone": np.concatenate([moments()[:, :1], moments(n=300.0)[:, :1]], axis=1),
    "not a number": moments(ss_both=np.nan),
}


@pytest.mark.parametrize("values", AFFECTS_THAT_CANNOT_BE.values(), ids=AFFECTS_THAT_CANNOT_BE)
def test_moments_of_values_that_cannot_be_are_refused(tmp_path, values):
    """One run with them would decide the tests of all rows of a board."""
    path = tmp_path / "file.npz"
    path.write_bytes(saved(units=UNITS, va=values))
    with pytest.raises(FramelightError, match="statistics of va"):
        job_statistics.load(path, "va")


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0])
def test_moments_of_any_labels_and_outputs_are_read(tmp_path, scale):
    random, unit = np.random.default_rng(0), np.arange(900) % 29
    truth, outputs = (np.float32(scale * random.choice([-1, 1, 0.3], (900, 2))) for _ in range(2))
    for predicted in (outputs, truth, -truth, np.sign(truth), 1.01 * truth, np.full_like(truth, 0.1)):
        made = compute_statistics("va", predicted, {"va": truth}, unit, 30)
        job_statistics.save(tmp_path / "file.npz", VIDEOS, made)
        assert (job_statistics.load(tmp_path / "file.npz", "va")[1].arrays["va"] == made.arrays["va"]).all()


def test_statistics_of_gigabytes_are_refused_before_they_are_read(tmp_path):
    whole = zipfile.ZipFile(tmp_path / "file.npz", "w", zipfile.ZIP_DEFLATED)
    with whole as archive, archive.open("expr.npy", "w") as file:
        for _ in range(513):
            file.write(bytes(2**20))
    with pytest.raises(FramelightError, match="arrays of more than 512 MiB"):
        job_statistics.load(tmp_path / "file.npz", "expr")


def test_action_units_of_different_numbers_of_rows_are_refused(tmp_path):
    values = np.ones((30, 12, 4), np.int64)
    values[0, 5] = 10**6
    (tmp_path / "file.npz").write_bytes(saved(units=UNITS, au=values))
    with pytest.raises(FramelightError, match="statistics of au"):
        job_statistics.load(tmp_path / "file.npz", "au")


def pickled():
    return saved(units=UNITS, expr=np.array([print] * 30, dtype=object))


def same(n):
    """Whether another byte there changes nothing that is read."""
    try:
        with np.load(io.BytesIO(changed(n))) as file:
            return (file["units"] == UNITS).all() and (file["expr"] == counts(0.5)).all()
    except UNREADABLE:
        return False


def changed(n):
    return whole()[:n] + bytes([whole()[n] ^ 0xFF]) + whole()[n + 1 :]


FILES = {
    "empty": b"",
    "text": b"not a file of arrays",
    "array": (lambda file: np.save(file, counts(0.5)) or file.getvalue())(io.BytesIO()),
    "no arrays": saved(),
    "units alone": saved(units=UNITS),
    "no units": saved(expr=counts(0.5)),
    "pickle": pickled(),
    "pickled units": saved(units=np.array([{}] * 30, dtype=object), expr=counts(0.5)),
    "other block": saved(units=UNITS, other=counts(0.5)),
    "fewer units": saved(units=UNITS[:3], expr=counts(0.5)),
    "same unit twice": saved(units=np.array(["video"] * 30), expr=counts(0.5)),
    "numbers as units": saved(units=np.arange(30), expr=counts(0.5)),
    "other shape": saved(units=UNITS, expr=counts(0.5)[:, :4]),
    "scalar": saved(units=UNITS, expr=np.float64(3)),
    "texts": saved(units=UNITS, expr=counts(0.5).astype(str)),
    "floats": saved(units=UNITS, expr=counts(0.5) + 0.5),
    "not a number": saved(units=UNITS, expr=np.full((30, 8, 8), np.nan)),
    "infinite": saved(units=UNITS, va=np.full((30, 2, 6), np.inf)),
    "negative": saved(units=UNITS, expr=-counts(0.5)),
    "huge": saved(units=UNITS, expr=np.full((30, 8, 8), 2**62)),
    "complex": saved(units=UNITS, expr=counts(0.5).astype(complex)),
    "other task": saved(units=UNITS, au=np.ones((30, 12, 4), np.int64)),
    "two blocks": saved(units=UNITS, expr=counts(0.5), au=np.ones((30, 12, 4), np.int64)),
    "huge header": header_only("(1000000000000, 8, 8)"),
    "negative header": header_only("(-1, 8, 8)"),
    "long header": header_only("(30, 8, 8)"),
    "object header": header_only("(30, 8, 8)", "|O"),
    **{f"cut at {n}": whole()[:n] for n in (1, 30, 200, len(whole()) // 2, len(whole()) - 30)},
    **{f"changed at {n}": changed(n) for n in range(1, 1200, 61) if not same(n)},
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_statistics_that_are_none_leave_a_row_without_interval(tmp_path, capsys, content):
    store = tmp_path / "store"
    jobs = [*keep(store, "aaaa", 0.6, seeds=(0,)), *keep(store, "bbbb", 0.5, seeds=(0,))]
    write_database(store / "mlflow.db", [tagged(f"r{i}", to_json(job), job.job_id) for i, job in enumerate(jobs)])
    (store / "artifacts/jobs/bbbb-s0/statistics.npz").write_bytes(content)
    assert main(["leaderboard", "--store", str(store)]) == 0
    told = capsys.readouterr()
    assert "aaaa" in told.out and "bbbb" in told.out and "defect" not in told.err
    assert "bbbb-s0" in told.err and "run its recipe again" in told.err
    for arguments in (("show", "bbbb"), ("compare", "aaaa", "bbbb")):
        assert main([*arguments, "--store", str(store)]) in (1, 2)
        err = capsys.readouterr().err
        assert "defect" not in err and "bbbb-s0" in err


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_no_other_error_than_our_own_leaves_the_readers(tmp_path, content):
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    with pytest.raises((FramelightError, ValueError)):
        job_statistics.load(path, "expr")
    with pytest.raises((OSError, ValueError)):
        Predictions.load(path)
