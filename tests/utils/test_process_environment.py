import os
import sys
from types import SimpleNamespace

import pytest

from harness.cli import main
from harness.utils import parallel
from harness.utils.process_environment import PASSIVE_WAITING, prepare_process
from harness.utils.public_api import framelight_errors


@pytest.fixture
def unset(monkeypatch):
    """No variable of OpenMP is set; those that the test sets are removed at its end."""
    for name in (*PASSIVE_WAITING, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # remembers that it was not set
        monkeypatch.delenv(name)


def waiting():
    return {name: os.environ.get(name) for name in PASSIVE_WAITING}


def test_threads_wait_passively(unset):
    prepare_process()
    assert (
        waiting() == PASSIVE_WAITING == {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "0"}
    )


@pytest.mark.parametrize(
    "name, value, others",
    [
        ("OMP_WAIT_POLICY", "ACTIVE", {}),
        ("GOMP_SPINCOUNT", "5", {"KMP_BLOCKTIME": "0"}),
        ("KMP_BLOCKTIME", "1", {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}),
    ],
)
def test_choice_of_the_user_is_kept(unset, monkeypatch, name, value, others):
    """The policy is a choice for all libraries; each of the others is one for GNU's or for LLVM's alone."""
    monkeypatch.setenv(name, value)
    prepare_process()
    assert waiting() == {**dict.fromkeys(PASSIVE_WAITING), name: value, **others}


def test_empty_variables_count_as_not_set(unset, monkeypatch):
    for name in (*PASSIVE_WAITING, "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("backbones.processors._cpu_quotas", lambda: iter(()))
    prepare_process()
    assert waiting() == PASSIVE_WAITING and "OMP_NUM_THREADS" not in os.environ


def test_command_prepares_before_its_module_is_imported(unset, monkeypatch):
    command = SimpleNamespace(main=lambda arguments: 0)
    seen = []
    monkeypatch.setattr(
        sys.modules["harness.cli.main"], "import_module", lambda name: seen.append(waiting()) or command
    )
    assert main(["recipes"]) == 0 and seen == [PASSIVE_WAITING]


def test_public_functions_prepare_before_they_compute(unset):
    assert framelight_errors(waiting)() == PASSIVE_WAITING


def test_measured_processes_are_prepared(unset, monkeypatch):
    seen = []
    monkeypatch.setattr(parallel.subprocess, "run", lambda command, **options: seen.append(options["env"]))
    parallel.run_module_in_subprocess("harness.export.latency")
    parallel.run_module_in_subprocess("harness.export.latency", environment={"GOMP_SPINCOUNT": "7"})
    assert PASSIVE_WAITING.items() <= seen[0].items()
    assert {name: seen[1].get(name) for name in PASSIVE_WAITING} == {
        **dict.fromkeys(PASSIVE_WAITING),
        "GOMP_SPINCOUNT": "7",
    }


def test_threads_are_limited_to_granted_processor_time(unset, monkeypatch):
    monkeypatch.setattr("backbones.processors.allowed_processors", lambda: 8)
    monkeypatch.setattr("backbones.processors._cpu_quotas", lambda: iter([2.5]))
    prepare_process()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_threads_without_a_limit_are_left_to_the_libraries(unset, monkeypatch):
    monkeypatch.setattr("backbones.processors._cpu_quotas", lambda: iter(()))
    prepare_process()
    assert "OMP_NUM_THREADS" not in os.environ
