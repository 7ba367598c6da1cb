import os
import subprocess
import sys

import pytest

from backbones import processors
from backbones.processors import available_processors
from harness.export.registry import framelight_onnx

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1_MOUNTS = (
    "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:28 / /sys/fs/cgroup/memory rw shared:6 - cgroup cgroup rw,memory"
)


@pytest.fixture
def eight(monkeypatch):
    """A process that may run on eight processors, without control groups."""
    monkeypatch.setattr(processors.os, "process_cpu_count", lambda: 8, raising=False)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _pid: range(8), raising=False)
    monkeypatch.setattr(processors, "ROOT", processors.ROOT / "nonexistent")


@pytest.fixture
def system(eight, monkeypatch, tmp_path):
    """Writes files of a system."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        monkeypatch.setattr(processors, "ROOT", tmp_path)
        monkeypatch.setattr(framelight_onnx, "ROOT", tmp_path)

    return write


def test_without_control_groups_the_allowed_processors_count(eight):
    assert available_processors() == 8


def system_processors():
    """Ask Framelight and the code of a served model, which has no Framelight."""
    [count] = {available_processors(), framelight_onnx._allowed_processors()}
    return count


@pytest.mark.parametrize(
    "limit, expected",
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 8), ("9900000 100000", 8)]
    + [("", 8), ("nonsense", 8), ("100000", 8), ("100000 0", 8), ("-1 100000", 8)],
)
def test_quota_of_version_2(system, limit, expected):
    system(
        {
            "proc/self/mountinfo": V2_MOUNT,
            "proc/self/cgroup": "0::/user.slice/job",
            "sys/fs/cgroup/user.slice/job/cpu.max": limit,
        }
    )
    assert system_processors() == expected


def test_quota_of_a_parent_limits_its_children(system):
    system(
        {
            "proc/self/mountinfo": V2_MOUNT,
            "proc/self/cgroup": "0::/pod/container",
            "sys/fs/cgroup/pod/cpu.max": "300000 100000",
            "sys/fs/cgroup/pod/container/cpu.max": "max 100000",
        }
    )
    assert system_processors() == 3


@pytest.mark.parametrize("root", ["/", "/docker/abc"])
@pytest.mark.parametrize("group", ["/", "/docker/abc"])
def test_container_sees_its_own_group_at_the_mount_point(system, root, group):
    system(
        {
            "proc/self/mountinfo": V2_MOUNT.replace("0:26 / ", f"0:26 {root} "),
            "proc/self/cgroup": f"0::{group}",
            "sys/fs/cgroup/cpu.max": "200000 100000",
        }
    )
    assert system_processors() == 2


@pytest.mark.parametrize("quota, expected", [("250000", 3), ("-1", 8), ("0", 8)])
def test_quota_of_version_1(system, quota, expected):
    system(
        {
            "proc/self/mountinfo": V1_MOUNTS,
            "proc/self/cgroup": "12:memory:/a\n4:cpu,cpuacct:/slurm/job\n1:name=systemd:/b",
            "sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_quota_us": quota,
            "sys/fs/cgroup/cpu,cpuacct/slurm/job/cpu.cfs_period_us": "100000",
        }
    )
    assert system_processors() == expected


@pytest.mark.parametrize("error", [OSError("not permitted"), AttributeError("macOS has no sched_getaffinity")])
def test_machine_counts_where_the_system_does_not_say(eight, monkeypatch, error):
    def refuse(_pid):
        raise error

    monkeypatch.delattr(processors.os, "process_cpu_count")
    monkeypatch.setattr(processors.os, "sched_getaffinity", refuse, raising=False)
    monkeypatch.setattr(processors.os, "cpu_count", lambda: None)
    assert available_processors() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot bind a process to processors")
def test_process_bound_to_one_processor_uses_one():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from harness.cli.parser import build_parser\n"
        "from backbones.processors import available_processors\n"
        "print(build_parser().parse_args(['run', 'quickstart']).jobs, available_processors())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1"], done.stderr
