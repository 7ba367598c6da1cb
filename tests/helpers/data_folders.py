"""Small data folders for tests, written as real files."""

import io
from pathlib import Path

from PIL import Image

VA, EXPR, AU = "VA_Estimation_Challenge", "EXPR_Classification_Challenge", "AU_Detection_Challenge"
HEADERS = {
    VA: "valence,arousal",
    EXPR: "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    AU: "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
}
MTL_HEADER = "image,valence,arousal,expression,aus"
ANNOTATIONS = "Third ABAW Annotations"
TEST_LISTS = {
    "expr": "Expression_Classification_Challenge_test_set_release.txt",
    "mtl": "Multi_Task_Learning_Challenge_test_set_release.txt",
}
ABSENT = ",".join("0" * 12)


def image_bytes(kind="JPEG", mode="RGB", shade=120):
    buffer = io.BytesIO()
    Image.new(mode, (16, 16), shade if mode == "L" else (shade,) * len(mode)).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def crops(root: Path, video: str, frames, folder="cropped", shade=120):
    (root / folder / video).mkdir(parents=True, exist_ok=True)
    content = image_bytes(shade=shade)
    for frame in frames:
        (root / folder / video / f"{frame:05d}.jpg").write_bytes(content)


def annotate(root: Path, challenge: str, split: str, video: str, rows, annotations=ANNOTATIONS) -> Path:
    return write(root / annotations / challenge / split / f"{video}.txt", HEADERS[challenge], *map(str, rows))


def small_abaw3(root: Path, annotations=ANNOTATIONS, folder="cropped") -> Path:
    """Four videos of five frames with all three tasks and MTL files; every class has a neighbour, no fault."""
    for split, videos in (("Train_Set", ("7-30-640x480", "video1_left")), ("Validation_Set", ("video2", "video3"))):
        for video in videos:
            crops(root, video, range(1, 6), folder)
            annotate(root, EXPR, split, video, [0, 1, 4, -1, 7], annotations)
            annotate(root, VA, split, video, ["0.1,0.2", "-1,1", "-5,-5", "0.5,-5", "0,0.031"], annotations)
            annotate(
                root, AU, split, video, [ABSENT, ",".join("1" * 12), "-1" + ",0" * 11, ABSENT, ABSENT], annotations
            )
        rows = [f"{video}/{frame:05d}.jpg,0.5,-0.25,{frame},{ABSENT}" for video in videos for frame in (1, 4)]
        name = "train_set.txt" if split == "Train_Set" else "validation_set.txt"
        write(root / annotations / "MTL_Challenge" / name, MTL_HEADER, *rows)
    return root


def table(root: Path, header: str, *rows: str, images=True) -> Path:
    """labels.csv and, where wanted, a small JPEG for each row's first cell."""
    write(root / "labels.csv", header, *rows)
    for row in rows if images else ():
        path = root / row.split(",")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes())
    return root
