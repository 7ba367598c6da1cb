"""Environment variables that libraries read when they are loaded; child processes inherit them.

A variable that the user has set is left as it is. The exception is NO_PROXY, to which the hosts of this machine are
added. A variable with an empty value counts as not set.
"""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from types import ModuleType

from harness.utils.import_hooks import ROOT

PASSIVE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000", "KMP_BLOCKTIME": "0"}
"""Variables that make waiting OpenMP threads give up their processor soon.

By default waiting threads spin up to 300,000 times (GNU) or for 200 ms (LLVM, Intel), which takes time from other
threads if there are more threads than processors. Without any spinning, GNU's threads sleep so often that training
on an idle machine is slower by a quarter to a third.
"""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1", "[::1]")
"""Hosts of servers on this machine, in the forms that urllib and requests compare."""


def disable_telemetry() -> None:
    """Keep libraries in this process and its children from reporting their use.

    `backbones.telemetry` is run without importing its package, which would take 0.1 s.
    """
    name = "backbones.telemetry"
    module = ModuleType(name)
    SourceFileLoader(name, os.path.join(ROOT, "backbones", "telemetry.py")).exec_module(module)  # noqa: PTH118
    module.disable_telemetry()


def prepare_process() -> None:
    """Prepare this process and its children for computing; call it before torch, MLflow or matplotlib are imported."""
    from harness.utils.home_folder import provide_home

    for name in (*PASSIVE_WAITING, "OMP_NUM_THREADS"):
        if os.environ.get(name) == "":  # OpenMP warns about an empty value
            del os.environ[name]
    if "OMP_WAIT_POLICY" not in os.environ:
        _wait_passively()
    _limit_threads()
    _bypass_proxies()
    provide_home()


def _wait_passively() -> None:
    """Set the variables of each OpenMP library for which the user has not chosen how long waiting threads spin."""
    names = [] if "GOMP_SPINCOUNT" in os.environ else ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"]  # GNU
    names += [] if "KMP_BLOCKTIME" in os.environ else ["KMP_BLOCKTIME"]  # LLVM and Intel, whatever the policy
    os.environ.update({name: PASSIVE_WAITING[name] for name in names})


def _limit_threads() -> None:
    """Limit threads to the granted processors; OpenMP and BLAS do not see the limits of control groups."""
    from backbones.processors import allowed_processors, available_processors

    if (granted := available_processors()) < allowed_processors():
        _set_defaults({"OMP_NUM_THREADS": str(granted)})


def _bypass_proxies() -> None:
    """Reach servers on this machine directly even if the user has set a proxy."""
    if any(os.environ.get(form(name)) for name in PROXIES for form in (str.lower, str.upper)):
        given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        hosts = [host.strip() for host in given.split(",") if host.strip()]
        if "*" not in hosts:
            value = ",".join(dict.fromkeys([*hosts, *LOOPBACK]))
            os.environ.update({"no_proxy": value, "NO_PROXY": value})


def _set_defaults(variables: dict[str, str]) -> None:
    os.environ.update({name: value for name, value in variables.items() if not os.environ.get(name)})
