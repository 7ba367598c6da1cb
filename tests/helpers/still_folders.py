"""Small folders of images in the layouts of VGGFace2 and AffectNet, written as real files."""

from pathlib import Path

import numpy as np

from tests.helpers.data_folders import image_bytes, write

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
LANDMARKS = ";".join(f"{i}.5" for i in range(136))
LISTS, IMAGES = "Manually_Annotated_file_lists", "Manually_Annotated_Images"


def image(path: Path, shade=120) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_bytes(shade=shade))
    return path


def vggface2(root: Path, boxes=True) -> Path:
    """Two identities to train on, of three and two images, and one unseen; the last image of each has no box."""
    for name in (
        "train/n000002/0001_01",
        "train/n000002/0002_01",
        "train/n000002/0003_02",
        "train/n000009/0010_01",
        "train/n000009/0011_01",
        "test/n000001/0001_01",
        "test/n000001/0002_01",
    ):
        image(root / f"{name}.jpg")
    if boxes:
        write(
            root / "bb_landmark/loose_bb_train.csv",
            "NAME_ID,X,Y,W,H",
            '"n000002/0001_01",2,3,10,8',
            '"n000002/0002_01",-4,0,12,12',
            '"n000009/0010_01",1,1,30,40',
        )
        write(root / "bb_landmark/loose_bb_test.csv", "NAME_ID,X,Y,W,H", '"n000001/0001_01",2,3,10,8')
    return root


def row_2017(name, expression, valence=0.5, arousal=-0.25, box="1,2,10,8"):
    return f"{name},{box},{LANDMARKS},{expression},{valence},{arousal}"


def affectnet_2017(root: Path, train=(), validation=(), header=HEADER) -> Path:
    """Its lists (eight images of the eight codes in each where none are given), and the images they name."""
    rows = {
        "training": train or [row_2017(f"{code}/t{code}.jpg", code) for code in range(8)],
        "validation": validation or [row_2017(f"{code}/v{code}.jpg", code) for code in range(8)],
    }
    for name, lines in rows.items():
        write(root / LISTS / f"{name}.csv", *([header] if header else []), *lines)
        for line in lines:
            image(root / IMAGES / line.split(",")[0])
    return root


def npy(folder: Path, stem, **labels):
    """One .npy file for each label, holding what `np.save` makes of it."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for suffix, value in labels.items():
        np.save(folder / "annotations" / f"{stem}_{suffix}.npy", value)


def affectnet_2021(root: Path) -> Path:
    """Eleven images of code 0 to 7, 8, 0 and 1 in train, eight in validation; labels as text, as the release has."""
    for folder, codes in (("train_set", [*range(8), 8, 0, 1]), ("val_set", range(8))):
        for number, code in enumerate(codes):
            image(root / folder / "images" / f"{number}.jpg")
            npy(
                root / folder,
                number,
                exp=np.array(str(code)),
                val=np.array("-0.5"),
                aro=np.array("0.25"),
                lnd=np.zeros(136),
            )
    return root
