"""Handwritten pickles are rejected: every opcode that calls, builds or allocates."""

import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.hostile_checkpoints import archive, pickled, refused, touch


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


def test_hostile_files_execute_code_with_plain_pickle(marker):
    """The raw pickles above really execute code with plain pickle."""
    for case in ("global, protocol 0", "inst", "obj"):
        with suppress(Exception):
            pickle.loads(raw(marker)[case][0])
        assert marker.exists(), case
        marker.unlink()
