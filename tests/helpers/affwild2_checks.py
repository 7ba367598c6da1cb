"""What a folder of Aff-Wild2 is read as, and what its check says."""

from harness.data.check import check_dataset
from harness.data.fingerprint import dataset_digest
from harness.data.registry import open_dataset
from harness.data.splits import labels_fingerprint

VIDEOS = ["7-30-640x480", "video1_left", "video2", "video3"]


def ids(root):
    """Digests of images and labels, which do not depend on where the files are."""
    dataset = open_dataset(root)
    return dataset_digest(dataset), labels_fingerprint(dataset, "expr"), labels_fingerprint(dataset, "mtl")


def messages(root, kind=None):
    """Where and what: the errors and warnings of a check, relative to the folder."""
    problems = check_dataset(root, images=False).problems
    return [(p.severity, p.location(root), p.message) for p in problems if kind in (None, p.kind)]


def move(root, source, target):
    old, new = root / source, root / target.lstrip("/")
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
