"""Types of a recipe. Derive a recipe from another with `dataclasses.replace`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from harness.data.protocol import Protocol
from harness.data.synthetic.settings import SyntheticVideos
from harness.features import DEFAULT_MEMORY
from harness.metrics.tasks import TASKS
from harness.runner.backbone_recipe import TrainedBackbone
from harness.smoothing.candidates import SmoothingGrid
from harness.smoothing.gaps import GAPS
from harness.training.heads.config import HeadConfig, check_task_support
from harness.utils.errors import unknown_name_error
from harness.utils.validation import require, require_distinct

COMPUTE = ("float32", "bf16", "fp16")
FEATURES = ("embeddings", "scores", "embeddings+scores")
PRUNERS = ("none", "median")
THRESHOLDS = ("chosen", "half")
MISSING = ("dropped", "filled")
MOST_SEEDS = 2**32


@dataclass(frozen=True)
class Grid:
    """All combinations of backbones, features, heads and smoothing filters for one task.

    Parameters
    ----------
    task : {"expr", "va", "au", "mtl"}
        Expressions, valence and arousal, action units, or all three (multi-task).
    features : tuple of {"embeddings", "scores", "embeddings+scores"}, default=("embeddings",)
        Outputs of the backbone that the heads use: embeddings, scores of its classifier, or both concatenated.
    heads : tuple of HeadConfig, default=(HeadConfig("mlp"),)
        Heads to train.
    backbones : tuple of str, default=()
        Names of backbones, see `Recipe.backbones`. Empty: the backbones of the recipe.
    smoothings : tuple of SmoothingGrid, default=()
        Smoothing filters to select from. Empty: the `smoothing` of the recipe. Several smoothing grids are scored from
        the predictions of one training.

    Raises
    ------
    InputError
        If a name is unknown or listed twice, or if a head does not match the task or the features.

    Examples
    --------
    >>> Grid("expr", FEATURES, (HeadConfig("mlp"),)).features
    ('embeddings', 'scores', 'embeddings+scores')
    """

    hash_tag: ClassVar[str] = "Grid"
    task: str
    features: tuple[str, ...] = ("embeddings",)
    heads: tuple[HeadConfig, ...] = (HeadConfig("mlp"),)
    backbones: tuple[str, ...] = ()
    smoothings: tuple[SmoothingGrid, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise unknown_name_error("task", self.task, TASKS)
        for features in self.features:
            if features not in FEATURES:
                raise unknown_name_error("features", features, FEATURES)
        where = f"the grid of task '{self.task}'"
        for name in ("features", "heads"):
            require_distinct(getattr(self, name), name, where)
        for name in ("backbones", "smoothings"):
            if getattr(self, name):
                require_distinct(getattr(self, name), name, where)
        for head in self.heads:
            check_task_support(head, TASKS[self.task])
            self._check_part_features(head)

    def _check_part_features(self, head: HeadConfig) -> None:
        """Raise InputError if a network of a `separate` head uses features that the grid does not have."""
        for part in head.parts:
            if part.features is not None and part.features not in FEATURES:
                raise unknown_name_error("features", part.features, FEATURES)
            for features in self.features:
                needed = head.features(part.output, features).split("+")
                require(
                    set(needed) <= set(features.split("+")),
                    f"head separate: its {part.output} network uses {'+'.join(needed)}, which the features "
                    f"'{features}' of the grid of task '{self.task}' do not include; set features=embeddings+scores",
                )


@dataclass(frozen=True)
class Search:
    """A TPE search over backbone, features, head, head hyperparameters, kernel and radius, with one study per grid.

    The objective is the task's metric on the selection split. A range is two positive numbers, smallest first. Both
    ends are included, and values are sampled on a logarithmic scale.

    Parameters
    ----------
    trials : int, default=30
        Number of trials of each grid that complete or are pruned; at least 1. Failed trials do not count.
    seed : int, default=0
        Seed of the sampler.
    pruner : {"median", "none"}, default="median"
        `median` compares the best value of a trial so far with the completed trials of earlier batches. If this
        value is below the median of theirs at the same epoch, the trial is stopped. `none` completes all trials.
    hidden : (int, int), default=(32, 512)
        Range of the width of the hidden layer.
    learning_rate : (float, float), default=(1e-4, 1e-2)
        Range of the learning rate.
    l2 : (float, float), default=(1e-6, 1e-2)
        Range of the L2 penalty.
    epochs : (int, int), default=(2, 30)
        Range of the number of epochs.
    batch : int, default=8
        Number of trials that are proposed at the same time; at least 1. The sampler proposes them before any of them
        has a result. Similar trials are trained together.
    gaps : tuple of {"linear", "nearest", "published", "held"}, default=()
        Values of `SmoothingGrid.gaps` to search. Empty: the `gaps` of the smoothing grid.
    thresholds : tuple of {"chosen", "half"}, default=()
        Values of `Recipe.thresholds` to search. Empty: the setting of the recipe.

    Raises
    ------
    InputError
        If a name is unknown or listed twice, or if a number is out of range.

    Examples
    --------
    >>> Search(trials=50, gaps=("linear", "nearest")).batch
    8
    """

    hash_tag: ClassVar[str] = "Search"
    trials: int = 30
    seed: int = 0
    pruner: str = "median"
    hidden: tuple[int, int] = (32, 512)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    l2: tuple[float, float] = (1e-6, 1e-2)
    epochs: tuple[int, int] = (2, 30)
    batch: int = 8
    gaps: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pruner not in PRUNERS:
            raise unknown_name_error("pruner", self.pruner, PRUNERS)
        for name in ("trials", "batch"):
            require(getattr(self, name) >= 1, f"search.{name} is {getattr(self, name)}; it must be at least 1")
        for name, choices in (("gaps", GAPS), ("thresholds", THRESHOLDS)):
            for value in getattr(self, name):
                if value not in choices:
                    raise unknown_name_error(f"search.{name}", value, choices)
            require(
                len(set(getattr(self, name))) == len(getattr(self, name)),
                f"search.{name} lists a value twice; remove one of them",
            )
        for name in ("hidden", "learning_rate", "l2", "epochs"):
            low, high = getattr(self, name)
            require(0 < low <= high, f"search.{name} is {low},{high}; use two positive numbers, smallest first")


@dataclass(frozen=True)
class Recipe:
    """An experiment: the backbones, features, heads and smoothing filters to compare, and how.

    Derive a recipe from another with `dataclasses.replace`.

    Parameters
    ----------
    name : str
        Name of the recipe.
    grids : tuple of Grid
        Combinations to compare; at least one.
    backbones : tuple of str
        Names of backbones in the catalogue, in the store or in `trained`, or `timm:NAME`. With the suffix `@random` the
        weights are random. At least one.
    trained : tuple of TrainedBackbone, default=()
        Backbones that the recipe trains first, unless the store has them.
    synthetic : SyntheticVideos or None, default=None
        Rendered videos to run on if the command has no ``--data``. With None the command requires ``--data``.
    smoothing : SmoothingGrid, default=SmoothingGrid()
        Smoothing filters to select from; by default mean and median with radii from 0 to 50 frames.
    protocol : Protocol, default=Protocol()
        How epochs, thresholds, filters and hyperparameters are selected; by default on a quarter of the training
        videos.
    seeds : tuple of int, default=(0,)
        Seeds from 0 to 2**32 - 1; each combination is trained once with each seed.
    precision : {"float16", "float32"}, default="float16"
        Precision of the stored features.
    compute : {"float32", "bf16", "fp16"}, default="float32"
        Precision of the forward passes of the backbones.
    memory : int, default=64
        MiB of features that a job keeps in memory for training, and the same amount again for selection; at least 1.
        If the features need more, they are read from disk. Results do not depend on this setting.
    baselines : bool, default=True
        Add baselines: a constant, random features, the previous label, and the backbone's own scores for expressions.
    thresholds : {"chosen", "half"}, default="chosen"
        Decision thresholds of action units: `chosen` selects one from a grid for each action unit; `half` uses 0.5.
    missing : {"dropped", "filled"}, default="dropped"
        Treatment of labeled frames without a crop: `dropped` does not score them, as in Savchenko (2022);
        `filled` scores outputs that are filled in from neighboring frames, see `SmoothingGrid.gaps`.
    pictures : bool, default=True
        Draw figures of each run, for its first seed.
    search : Search or None, default=None
        Search the grids instead of running every combination.

    Raises
    ------
    InputError
        If a name is unknown or listed twice, or if a number is out of range.

    Examples
    --------
    >>> recipe = Recipe("mine", grids=(Grid("expr"), Grid("va")), backbones=("tiny_resnet@random",))
    >>> recipe.tasks
    ('expr', 'va')
    """

    hash_tag: ClassVar[str] = "Recipe"
    name: str
    grids: tuple[Grid, ...]
    backbones: tuple[str, ...]
    trained: tuple[TrainedBackbone, ...] = ()
    synthetic: SyntheticVideos | None = None
    smoothing: SmoothingGrid = SmoothingGrid()  # noqa: RUF009 - a frozen dataclass
    protocol: Protocol = Protocol()  # noqa: RUF009 - a frozen dataclass
    seeds: tuple[int, ...] = (0,)
    precision: str = "float16"
    compute: str = "float32"
    memory: int = DEFAULT_MEMORY // 2**20
    baselines: bool = True
    thresholds: str = "chosen"
    missing: str = "dropped"
    pictures: bool = True
    search: Search | None = field(default=None)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Distinct tasks of the grids, in the order of the grids."""
        return tuple(dict.fromkeys(grid.task for grid in self.grids))

    def all_backbones(self) -> tuple[str, ...]:
        """Return the backbones of all grids, each once: first those of the recipe, then those of single grids."""
        shared = () if all(grid.backbones for grid in self.grids) else self.backbones
        return tuple(dict.fromkeys([*shared, *(name for grid in self.grids for name in grid.backbones)]))

    def __post_init__(self) -> None:
        require(
            all(0 <= seed < MOST_SEEDS for seed in self.seeds),
            f"seeds {', '.join(map(str, self.seeds))}: a seed must be an integer from 0 to {MOST_SEEDS - 1}",
        )
        require(self.memory >= 1, f"memory is {self.memory} MiB; it must be at least 1")
        for name, choices in (
            ("precision", ("float16", "float32")),
            ("compute", COMPUTE),
            ("thresholds", THRESHOLDS),
            ("missing", MISSING),
        ):
            if getattr(self, name) not in choices:
                raise unknown_name_error(name, getattr(self, name), choices)
        for name in ("grids", "backbones", "seeds"):
            require_distinct(getattr(self, name), name, f"recipe '{self.name}'")
