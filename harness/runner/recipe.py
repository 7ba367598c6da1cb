"""The types of a recipe. A recipe derives from another with `dataclasses.replace`."""

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
    """Every combination of backbones with these features, heads and filters, for one task.

    Parameters
    ----------
    task : {"expr", "va", "au", "mtl"}
    features : tuple of str
        Of `FEATURES`.
    heads : tuple of HeadConfig
    backbones : tuple of str
        Default: those of the recipe.
    smoothings : tuple of SmoothingGrid
        Default: that of the recipe. Several are scored from the predictions of one training.

    Raises
    ------
    InputError
        For an unknown name, one that is listed twice, and for a head that does not fit the task or the features.

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
        """A part of a separate head reads columns of the job's features."""
        for part in head.parts:
            if part.features is not None and part.features not in FEATURES:
                raise unknown_name_error("features", part.features, FEATURES)
            for features in self.features:
                needed = head.features(part.output, features).split("+")
                require(
                    set(needed) <= set(features.split("+")),
                    f"head separate: its {part.output} network reads {'+'.join(needed)}, which are not all among "
                    f"the features {features} of the grid of task '{self.task}'; write features=embeddings+scores",
                )


@dataclass(frozen=True)
class Search:
    """A TPE search over backbone, features, head, its hyperparameters, kernel and radius, one study for each task.

    The objective is the task's metric on the selection split. Ranges are inclusive.

    Parameters
    ----------
    trials : int
    seed : int
    pruner : {"median", "none"}
    hidden, epochs : (int, int)
        Ranges, searched on a log scale.
    learning_rate, l2 : (float, float)
        Ranges, searched on a log scale.
    batch : int
        Trials that are proposed at once. They do not learn from each other, and similar ones are trained together.
    gaps, thresholds : tuple of str
        Choices of `SmoothingGrid.gaps` and `Recipe.thresholds`. Default: those settings themselves.

    Raises
    ------
    InputError
        For an unknown name, one that is listed twice, and for a number out of range.

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
            require(getattr(self, name) >= 1, f"search.{name} is {getattr(self, name)}; at least 1 is needed")
        for name, known in (("gaps", GAPS), ("thresholds", THRESHOLDS)):
            for value in getattr(self, name):
                if value not in known:
                    raise unknown_name_error(f"search.{name}", value, known)
            require(len(set(getattr(self, name))) == len(getattr(self, name)), f"search.{name} lists one twice")
        for name in ("hidden", "learning_rate", "l2", "epochs"):
            low, high = getattr(self, name)
            require(0 < low <= high, f"search.{name} is {low},{high}; give two positive numbers, smallest first")


@dataclass(frozen=True)
class Recipe:
    """An experiment: which backbones, features, heads and filters are compared, on what, by which rules.

    A recipe derives from another with `dataclasses.replace`.

    Parameters
    ----------
    name : str
    grids : tuple of Grid
        What is compared.
    backbones : tuple of str
        Names in the catalogue or the store, `timm:NAME`, or of `trained`; `@random` behind one gives random weights.
    trained : tuple of TrainedBackbone
        Backbones that the recipe trains first.
    synthetic : SyntheticVideos, optional
        What it runs on where no data set is given.
    smoothing : SmoothingGrid
    protocol : Protocol
    seeds : tuple of int
    precision : {"float16", "float32"}
        In which features are stored.
    compute : {"float32", "bf16", "fp16"}
        In which backbones compute them.
    memory : int
        MiB of features that a job holds for training, and again for selection; more are read when needed.
    baselines : bool
        Add baselines that do not look at the images.
    thresholds : {"chosen", "half"}
        Of action units: chosen for each on a grid, or 0.5.
    missing : {"dropped", "filled"}
        Labeled frames without a crop are not scored, as in the paper, or are filled from their neighbors and scored.
    pictures : bool
        Draw figures of each run.
    search : Search, optional
        Search the grids instead of running every combination.

    Raises
    ------
    InputError
        For an unknown name, one that is listed twice, and for a number out of range.

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
    smoothing: SmoothingGrid = SmoothingGrid()
    protocol: Protocol = Protocol()
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
        return tuple(dict.fromkeys(grid.task for grid in self.grids))

    def all_backbones(self) -> tuple[str, ...]:
        """Names of the backbones that the grids use, each once: those of the recipe before those of single grids."""
        own = () if all(grid.backbones for grid in self.grids) else self.backbones
        return tuple(dict.fromkeys([*own, *(name for grid in self.grids for name in grid.backbones)]))

    def __post_init__(self) -> None:
        require(
            all(0 <= seed < MOST_SEEDS for seed in self.seeds),
            f"seeds {', '.join(map(str, self.seeds))}: a seed is a whole number from 0 to {MOST_SEEDS - 1}",
        )
        require(self.memory >= 1, f"memory is {self.memory}; a job holds at least 1 MiB of features")
        for name, known in (
            ("precision", ("float16", "float32")),
            ("compute", COMPUTE),
            ("thresholds", THRESHOLDS),
            ("missing", MISSING),
        ):
            if getattr(self, name) not in known:
                raise unknown_name_error(name, getattr(self, name), known)
        for name in ("grids", "backbones", "seeds"):
            require_distinct(getattr(self, name), name, f"recipe '{self.name}'")
