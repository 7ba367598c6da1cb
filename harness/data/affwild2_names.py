"""Names of folders and files in the releases of Aff-Wild2, from the third to the tenth ABAW challenge.

The names differ between editions and between the archives of one edition, and users rename folders. Comparisons ignore
case, blanks, punctuation, and suffixes of copies such as ` (1)`.
"""

from __future__ import annotations

import re

CHALLENGE_FOLDERS = {
    "expr": "EXPR_Classification_Challenge",
    "va": "VA_Estimation_Challenge",
    "au": "AU_Detection_Challenge",
    "mtl": "MTL_Challenge",
}
"""Names of folders in the third challenge, for messages."""
TEST_LISTS = {
    "expr": "Expression_Classification_Challenge_test_set_release.txt",
    "va": "Valence_Arousal_Estimation_Challenge_test_set_release.txt",
    "au": "Action_Unit_Detection_Challenge_test_set_release.txt",
    "mtl": "Multi_Task_Learning_Challenge_test_set_release.txt",
}
"""Names of test lists in the third challenge, for messages."""

_TASK_WORDS = {
    "expr": r"expr(?:essions?)?",
    "va": r"(?:va|valence(?:and)?arousal)",
    "au": r"(?:aus?|actionunits?)",
    "mtl": r"(?:mtl|multitask(?:learning)?)",
}
_WORK = r"(?:classification|recognition|estimation|detection|learning)?"
_CHALLENGES = {task: re.compile(rf"{words}{_WORK}(?:challenge|set)") for task, words in _TASK_WORDS.items()}
_LISTS = {
    task: re.compile(rf"{words}{_WORK}(?:challenge)?testset(?:release|names|videos)?")
    for task, words in _TASK_WORDS.items()
}
_FRAME_LISTS = {
    task: re.compile(rf"(?:.*abaw)?{words}testset(?:samples?|examples?)") for task, words in _TASK_WORDS.items()
}
_SPLITS = {
    "train": re.compile(r"train(?:ing)?(?:set|data)?(?:annotations?|labels?)?"),
    "validation": re.compile(r"val(?:id|idation)?(?:set|data)?(?:annotations?|labels?)?"),
}
_SPLIT_ANNOTATIONS = {
    "train": re.compile(r"train(?:ing)?setannotations?"),
    "validation": re.compile(r"val(?:id|idation)?setannotations?"),
}
_COPY = re.compile(r"( ?\(\d+\)| - Copy|-\d{8}T\d{6}Z-\d+(-\d+)?)+$", re.IGNORECASE)
"""Suffixes that browsers, Windows and Google Drive append to the names of copies and parts."""
_CROPPED = re.compile(r"cropped(?:faces|images?)?(?:\d*(?:new)?\d*vids?)?|batch\d+")
_ALIGNED = re.compile(r"(?:crop(?:ped|s)?|faces?)*(?:and)?aligned(?:faces|images?|crops?)?(?:\d*(?:new)?\d*vids?)?")
_LIST_FOLDER = re.compile(r"names?ofvideos|predictionfiles")


def squash(name: str) -> str:
    """Return the letters and digits of a name in lower case, without the mark of a copy.

    Examples
    --------
    >>> squash("6th_ABAW Annotations (1)"), squash("cropped_aligned-20240318T112233Z-001")
    ('6thabawannotations', 'croppedaligned')
    """
    return re.sub(r"[\W_]+", "", _COPY.sub("", name)).lower()


def challenge_task(name: str) -> str | None:
    """Return the task of a challenge from the name of its folder, or None.

    Examples
    --------
    >>> challenge_task("EXPR_Recognition_Challenge"), challenge_task("Compound_Expression_Recognition_Challenge")
    ('expr', None)
    """
    return _match(_CHALLENGES, name)


def is_challenge(name: str) -> bool:
    """Return whether a folder is named as a challenge, supported or not."""
    return squash(name).endswith("challenge")


def split_of(name: str) -> str | None:
    """Return the split in the name of a folder of annotations or a multi-task file (without suffix), or None.

    Examples
    --------
    >>> split_of("Train_Set"), split_of("validation_set_annotations"), split_of("Test_Set")
    ('train', 'validation', None)
    """
    return _match(_SPLITS, name)


def split_of_loose_file(name: str) -> str | None:
    """Return the split of a multi-task file outside of a challenge's folder (since the fourth challenge), or None."""
    return _match(_SPLIT_ANNOTATIONS, _stem(name)) if is_text(name) else None


def split_of_multitask_file(name: str) -> str | None:
    """Return the split of a multi-task file in the folder of its challenge, or None."""
    return split_of(_stem(name)) if is_text(name) else None


def list_task(name: str) -> str | None:
    """Return the task of a test list, or None. The list names videos; for `mtl`, it names images.

    Examples
    --------
    >>> list_task("Expression_Recognition_Challenge_test_set_release.txt"), list_task("notes.txt")
    ('expr', None)
    """
    return _match(_LISTS, _stem(name)) if is_text(name) else None


def frame_list_task(name: str) -> str | None:
    """Return the task of a list that names every frame of the test videos (since the fifth challenge), or None.

    Examples
    --------
    >>> frame_list_task("CVPR_6th_ABAW_Expr_test_set_sample.txt"), frame_list_task("ABAW_VA_test_set_example.txt")
    ('expr', 'va')
    """
    return _match(_FRAME_LISTS, _stem(name)) if is_text(name) else None


def is_list_folder(name: str) -> bool:
    """Return whether a folder may hold test lists.

    Examples
    --------
    >>> is_list_folder("CVPR_2022_Test_Set_Release"), is_list_folder("names_of_videos"), is_list_folder("latest")
    (True, True, False)
    """
    if is_crop_folder(name):
        return False
    return re.search(r"(?<![a-z])test", name.lower()) is not None or _LIST_FOLDER.match(squash(name)) is not None


def is_annotation_folder(name: str) -> bool:
    """Return whether a folder may hold the folders of challenges."""
    return re.match(r"annotations?|.*annotations?$", squash(name)) is not None


def is_crop_folder(name: str) -> bool:
    """Return whether a folder of the dataset may hold the folders of crops."""
    return squash(name).startswith("crop") or re.fullmatch(r"batch\d+|faces?", squash(name)) is not None


def is_text(name: str) -> bool:
    """Return whether a file name ends in `.txt`, in upper or lower case."""
    return name.lower().endswith(".txt")


def crop_kind(parts: tuple[str, ...]) -> str:
    """Return the kind of the crops in nested folders.

    Parameters
    ----------
    parts : tuple of str
        Names of the folders between the dataset's folder and the video's folder, both excluded.

    Returns
    -------
    {"cropped", "aligned", "other"}
        The organizers release the same faces twice: first only cropped, then cropped and aligned. Crops in folders
        with other names, such as `cropped_aligned_masked`, are "other".

    Examples
    --------
    >>> crop_kind(("cropped_images", "batch1")), crop_kind(("batch1 (1)", "cropped_aligned"))
    ('cropped', 'aligned')
    >>> crop_kind(("cropped_aligned_old", "cropped_aligned"))
    'other'
    """
    kinds = {_kind_of_part(squash(part)) for part in parts}
    return next((kind for kind in ("other", "aligned", "cropped") if kind in kinds), "other")


def _kind_of_part(squashed: str) -> str | None:
    if _ALIGNED.fullmatch(squashed):
        return "aligned"
    if _CROPPED.fullmatch(squashed):
        return "cropped"
    return "other" if squashed.startswith("crop") and squashed not in ("crop", "crops") else None


def _match(patterns: dict[str, re.Pattern], name: str) -> str | None:
    squashed = squash(name)
    return next((key for key, pattern in patterns.items() if pattern.fullmatch(squashed)), None)


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
