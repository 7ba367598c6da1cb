"""Hostile pickles are rejected with the names that they refer to, and none of their code is executed."""

import functools
import importlib
import operator
import os
import pickle
import subprocess
import time
import types
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn

import backbones
from backbones import BackboneError
from tests.helpers.hostile_checkpoints import Call, Kept, archive, pickled, refused, touch

PAYLOADS = {
    "posix.system": lambda marker: Call(os.system, touch(marker)),
    "subprocess.Popen": lambda marker: Call(subprocess.Popen, ["touch", str(marker)]),
    "subprocess.check_output": lambda marker: Call(subprocess.check_output, ["touch", str(marker)]),
    "builtins.eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "builtins.exec": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "io.open": lambda marker: Call(open, str(marker), "w"),
    "builtins.getattr": lambda marker: Call(Call(getattr, Path(marker), "touch")),
    "builtins.__import__": lambda marker: Call(__import__, "this"),
    "importlib.import_module": lambda marker: Call(importlib.import_module, "this"),
    "operator.attrgetter": lambda marker: Call(Call(operator.attrgetter, "touch"), Path(marker)),
    "torch.serialization.load": lambda marker: Call(torch.load, str(marker)),
    "torch.hub.load": lambda marker: Call(torch.hub.load, str(marker), "x"),
    "torch.storage._load_from_bytes": lambda marker: Call(
        torch.storage._load_from_bytes, pickled(Call(os.system, touch(marker)))
    ),
    "timm.models._hub.load_custom_from_hf": lambda marker: Call(_named("timm.models._hub", "load_custom_from_hf"), "x"),
    "torch.nn.modules.module.register_module_forward_hook": lambda marker: Call(
        nn.modules.module.register_module_forward_hook, print
    ),
}
LIVE = ("posix.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "io.open")
"""Of these the test shows that unpickling the same file does run them."""


def _named(module, name):
    return getattr(importlib.import_module(module), name)


def in_module(payload, path):
    network = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    network[1].note = payload
    torch.save(network, path)


def in_module_legacy(payload, path):
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    network[1].note = payload
    torch.save(network, path, _use_new_zipfile_serialization=False)


def in_lightning(payload, path):
    torch.save(
        {
            "state_dict": OrderedDict(w=torch.ones(2)),
            "pytorch-lightning_version": "2.6.0",
            "callbacks": {"EarlyStopping": {"best": payload}},
        },
        path,
    )


PLACES = {
    "zip": lambda payload, path: torch.save(payload, path),
    "legacy": lambda payload, path: torch.save(payload, path, _use_new_zipfile_serialization=False),
    "pickle": lambda payload, path: path.write_bytes(pickled(payload)),
    "state dict": lambda payload, path: torch.save({"conv.weight": torch.ones(3), "conv.bias": payload}, path),
    "module": in_module,
    "module, legacy": in_module_legacy,
    "lightning": in_lightning,
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_forbidden_global_is_named(name, marker, tmp_path):
    path = tmp_path / "net.pt"
    in_module(PAYLOADS[name](marker), path)
    assert f"contains {name}" in refused(path, tmp_path) or f"a call of {name}" in refused(path, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.parametrize("place", PLACES)
def test_forbidden_global_is_found_at_any_depth(name, place, marker, tmp_path):
    path = tmp_path / "net.pt"
    PLACES[place](PAYLOADS[name](marker), path)
    said = refused(path, tmp_path)
    assert name in said and "no code in it was executed" in said and not marker.exists()
    with suppress(Exception):
        pickle.loads(path.read_bytes()) if place == "pickle" else torch.load(path, weights_only=False)
    for _ in range(100):
        if marker.exists():
            return
        time.sleep(0.05)
    pytest.fail("the payload was none: unpickling did not run it either")


def test_forbidden_storage_type_is_named(marker, tmp_path):
    for kind, name in ((os.system, "posix.system"), (nn.Linear, "a storage of type torch.nn.modules.linear.Linear")):
        tensor = Call(torch._utils._rebuild_tensor_v2, Kept(kind, "0", 4), 0, (4,), (1,), False, OrderedDict())
        path = archive(tmp_path / "net.pt", pickled({"w": tensor}), {"0": bytes(16)})
        assert name in refused(path, tmp_path)


def test_several_forbidden_globals_are_listed(marker, tmp_path):
    torch.save({"a": Call(eval, "1"), "b": [Call(os.system, touch(marker))], "w": torch.ones(1)}, tmp_path / "net.pt")
    assert "contains builtins.eval, posix.system" in refused(tmp_path / "net.pt", tmp_path)


def test_partial_and_reduce_are_forbidden(marker, tmp_path):
    """Names may be kept, but what is kept is never called: neither a partial nor a tensor's hooks."""
    torch.save({"w": torch.ones(1), "hook": functools.partial(os.system, touch(marker))}, tmp_path / "a.pt")
    assert "posix.system" in refused(tmp_path / "a.pt", tmp_path)
    torch.save({"w": torch.ones(1), "hook": Call(functools.partial(nn.Linear, 2), 2)}, tmp_path / "b.pt")
    assert "a call of something other than a global" in refused(tmp_path / "b.pt", tmp_path)
    hooks = OrderedDict(hook=Call(os.system, touch(marker)))
    tensor = Call(torch._utils._rebuild_tensor_v2, Kept(torch.FloatStorage, "0", 4), 0, (4,), (1,), False, hooks)
    assert "posix.system" in refused(archive(tmp_path / "c.pt", pickled({"w": tensor}), {"0": bytes(16)}), tmp_path)
    assert not marker.exists()


def test_recursive_module_tree_is_rejected(tmp_path):
    network = nn.Sequential(nn.ReLU())
    network._modules["0"]._modules["again"] = network
    torch.save(network, tmp_path / "loop.pt")
    assert "nested too deeply or recursively" in refused(tmp_path / "loop.pt", tmp_path)
    network = nn.ReLU()
    for _ in range(60):
        network = nn.Sequential(network, network)
    torch.save(network, tmp_path / "doubled.pt")
    assert "nested too deeply or recursively" in refused(tmp_path / "doubled.pt", tmp_path)


def test_objects_that_are_not_layers_are_rejected(tmp_path):
    network = nn.Sequential(nn.ReLU())
    network._modules["0"] = {"weight": 1}
    torch.save(network, tmp_path / "a.pt")
    assert "not a layer" in refused(tmp_path / "a.pt", tmp_path)
    network = nn.Sequential(nn.ReLU())
    network._parameters["weight"] = 3
    torch.save(network, tmp_path / "b.pt")
    assert "not a tensor" in refused(tmp_path / "b.pt", tmp_path)


def test_user_class_is_named(tmp_path):
    module = types.ModuleType("my_networks")
    module.Mine = type("Mine", (nn.Linear,), {"__module__": "my_networks"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "my_networks", module)
        torch.save(module.Mine(2, 2), tmp_path / "net.pt")
    said = refused(tmp_path / "net.pt", tmp_path)
    assert "contains my_networks.Mine" in said and "torch.save(model.state_dict(), FILE)" in said


def test_other_pickle_protocols_are_rejected(tmp_path):
    torch.save({"w": torch.ones(1)}, tmp_path / "net.pt", pickle_protocol=4)
    assert "protocol 4, but only protocol 2" in refused(tmp_path / "net.pt", tmp_path)


def test_tensors_that_share_one_storage_are_refused(tmp_path):
    """A file of 0.4 MB would take 40 MB as copies."""
    storage = torch.randn(100_000)
    path = tmp_path / "views.pt"
    torch.save({f"layer{i}.weight": storage.view(100, 1000) for i in range(100)}, path)
    with pytest.raises(BackboneError, match="would take 40 MB, more than 4 times the 0.4 MB of the file"):
        backbones.import_file(path, "mine", tmp_path)


def test_tiny_tensors_are_limited_in_number(tmp_path, monkeypatch):
    """150,000 views of 256 bytes are a file of 12 MB, and took 600 MB and minutes."""
    storage = torch.zeros(64)
    path = tmp_path / "views.pt"
    torch.save({f"layer{i}.weight": storage.view(8, 8) for i in range(300)}, path)
    monkeypatch.setattr("backbones.importing.pickle_scan.MAX_CALLS", 200)
    with pytest.raises(BackboneError, match="more than 200 tensors and other objects"):
        backbones.import_file(path, "mine", tmp_path)
    monkeypatch.setattr("backbones.importing.pickle_scan.MAX_OPCODES", 100)
    with pytest.raises(BackboneError, match="more than 100 pickle opcodes"):
        backbones.import_file(path, "mine", tmp_path)
