"""The built-in synthetic set: procedural faces that act, in the ABAW3 layout, with exact labels."""

from harness.data.synthetic.writer import VERSION, make, make_stills

__all__ = ["VERSION", "make", "make_stills"]
