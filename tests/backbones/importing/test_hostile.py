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

import numpy as np
import pytest
import torch
from torch import nn

import backbones
from backbones import BackboneError
from tests.helpers.hostile_checkpoints import Call, Kept, archive, pickled, refused


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "it was run"


def touch(marker):
    return f"touch '{marker}'"


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


def raw(marker):
    """Handwritten pickles, and their error messages."""
    shell = touch(marker).encode()
    linear = b"ctorch.nn.modules.linear\nLinear\n"
    doubled = b"]" + b"2\x86" * 60
    deep = b"(" * 100_000 + b"t" * 100_000
    return {
        "global, protocol 0": (b'cos\nsystem\n(S"' + shell + b'"\ntR.', "contains os.system"),
        "inst": (b'(S"' + shell + b'"\nios\nsystem\n.', "contains os.system"),
        "obj": (b'(cos\nsystem\nS"' + shell + b'"\no.', "contains os.system"),
        "newobj": (b'\x80\x02cos\nsystem\nS"' + shell + b'"\n\x85\x81.', "contains os.system"),
        "a name with dots": (
            b"\x80\x04\x8c\x1btorch.nn.modules.activation\x8c\x0etorch.hub.load\x93.",
            "torch.nn.modules.activation.torch.hub.load",
        ),
        "a name that looks like a layer": (
            b"\x80\x02ctorch.nn.modules.linear\ntorch.os.system\n)R.",
            "torch.nn.modules.linear.torch.os.system",
        ),
        "a name that is no text": (b"\x80\x04K\x01K\x02\x93.", "name is not a string"),
        "a name without end": (b"\x80\x04" + doubled + b"\x8c\x01n\x93.", "name is not a string"),
        "a name as deep as the stack": (b"\x80\x04" + deep + b"\x8c\x01n\x93.", "name is not a string"),
        "an encoding without end": (
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00a" + doubled + b"\x86R.",
            "another value where a string is expected",
        ),
        "a layout without end": (
            b"\x80\x02ctorch.serialization\n_get_layout\n" + doubled + b"\x85R.",
            "another value where a string is expected",
        ),
        "a type without end": (
            b"\x80\x02cnumpy\ndtype\n" + doubled + b"\x85R.",
            "another value where a string is expected",
        ),
        "a function without end": (
            b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n" + doubled + b"K\x00K\x00\x87R.",
            "rebuilt by something other than a function",
        ),
        "attributes set on a class": (
            linear + b"}S'__init__'\ncos\nsystem\nsb.",
            "os.system, attributes set on torch.nn.modules.linear.Linear",
        ),
        "state of a class": (linear + b"(N}S'forward'\nI1\nstb.", "attributes set on torch.nn.modules.linear.Linear"),
        "call of a layer": (linear + b"(I2\nI2\ntR.", "a call of torch.nn.modules.linear.Linear"),
        "call of an instance": (b"\x80\x02" + linear + b")\x81)R.", "a call of something other than a global"),
        "extension": (b"\x80\x02\x82\x01.", "opcode EXT1 is not supported"),
        "bytes of another encoding": (
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
            "bytes in the encoding rot13",
        ),
        "numpy objects": (b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.", "numpy values that are not numbers"),
        "array of objects": (pickled(np.array([print], object)), "numpy"),
        "a key as deep as the stack": (b"}" + deep + b"I1\ns.", "a deeply nested tuple as a key"),
        "empty stack": (b"\x80\x020.", "damaged"),
        "no mark": (b"\x80\x02t.", "damaged"),
        "a memo that is not": (b"\x80\x02h\x07.", "damaged"),
        "a text as long as memory": (b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"x.", "damaged"),
    }


@pytest.mark.parametrize("case", raw(Path("marker")))
@pytest.mark.parametrize("zipped", [False, True])
def test_handwritten_pickles_are_rejected(case, zipped, marker, tmp_path):
    data, expected = raw(marker)[case]
    path = tmp_path / "net.pt"
    archive(path, data) if zipped else path.write_bytes(data)
    assert expected in refused(path, tmp_path)
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


NESTED = b")" + b"\x85" * 100_000
DOUBLED = b")" + b"q\x00h\x00\x86" * 60


@pytest.mark.parametrize(
    "data, expected",
    [
        (b"}" + NESTED + b"K\x01s.", "a deeply nested tuple as a key"),
        (b"}(" + NESTED + b"K\x01u.", "a deeply nested tuple as a key"),
        (b"c__builtin__\nset\n](" + NESTED + b"e\x85R.", "nested too deeply"),
        (DOUBLED + b")R.", "a call of something other than a global"),
        (DOUBLED + b")\x81.", "other than a global"),
        (b"ctorch.serialization\n_get_layout\n" + DOUBLED + b"\x85R.", "where a string is expected"),
        (b"ctorch\nSize\n" + DOUBLED + b"\x85R.", "nested too deeply"),
        (b"ctorch\nTensor\nJ\xff\xff\xff\x7f\x85R.", "a call of torch.Tensor"),
        (b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "builtins.bytearray"),
        (b"]q\x00h\x00a.", "no network"),
    ],
)
def test_unbounded_hash_repr_and_allocation_are_rejected(data, expected, tmp_path):
    """All in opcodes and globals that `torch.load(weights_only=True)` reads."""
    assert expected in refused(archive(tmp_path / "net.pt", b"\x80\x02" + data), tmp_path)


def test_other_pickle_protocols_are_rejected(tmp_path):
    torch.save({"w": torch.ones(1)}, tmp_path / "net.pt", pickle_protocol=4)
    assert "protocol 4, but only protocol 2" in refused(tmp_path / "net.pt", tmp_path)


def test_hostile_files_execute_code_with_plain_pickle(marker):
    """The raw pickles above really execute code with plain pickle."""
    for case in ("global, protocol 0", "inst", "obj"):
        with suppress(Exception):
            pickle.loads(raw(marker)[case][0])
        assert marker.exists(), case
        marker.unlink()


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
