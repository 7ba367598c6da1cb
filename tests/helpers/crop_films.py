"""Frames of drawn films of people, and the files of their crops."""

from tests.helpers import face_scenes

WIDTH, HEIGHT, FRAMES = 320, 180, 8


def scene(*people):
    """A frame of people, each an index and the x of the center."""
    return face_scenes.frame(WIDTH, HEIGHT, [(who, x, 90, 100) for who, x in people])


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def content(out):
    """All files but hidden ones, with their bytes."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
