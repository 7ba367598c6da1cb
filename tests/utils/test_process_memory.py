import mmap
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.utils import process_memory
from harness.utils.process_memory import resident_bytes


@pytest.fixture
def without_proc(monkeypatch, tmp_path):
    """A system without /proc."""
    monkeypatch.setattr(process_memory, "STATUS", tmp_path / "status")
    return tmp_path / "status"


@pytest.fixture
def windows(without_proc, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)


@pytest.mark.parametrize("text", ["", "Name: python\nVmRSS:\t 5 kB\n"])
def test_peak_of_systems_that_do_not_report_it_in_proc(without_proc, text):
    statm = Path("/proc/self/statm")
    resident = int(statm.read_text().split()[1]) * mmap.PAGESIZE if statm.exists() else 0
    before = resident_bytes(peak=True)
    without_proc.write_text(text)
    block = b"x" * (max(0, before - resident) + 2**26)  # more than malloc ever takes from memory that was freed before
    assert len(block) >= 2**26 and resident_bytes(peak=True) > before


@pytest.mark.parametrize("platform, unit", [("darwin", 1), ("freebsd14", 1024)])
def test_unit_of_the_system(without_proc, monkeypatch, platform, unit):
    import resource

    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _who: SimpleNamespace(ru_maxrss=3))
    assert resident_bytes() == resident_bytes(peak=True) == 3 * unit


def test_windows_reports_through_psutil(windows, monkeypatch):
    memory = SimpleNamespace(rss=3, peak_wset=5)
    process = SimpleNamespace(memory_info=lambda: memory)
    monkeypatch.setitem(sys.modules, "psutil", SimpleNamespace(Process=lambda: process))
    assert (resident_bytes(), resident_bytes(peak=True)) == (3, 5)


def test_missing_psutil_is_named(windows, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(RuntimeError, match="pip install psutil"):
        resident_bytes()
