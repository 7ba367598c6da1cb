"""The types of a recipe. A recipe derives from another with `dataclasses.replace`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from harness.data.protocol import Protocol
from harness.data.synthetic.settings import SyntheticStills, SyntheticVideos
from harness.metrics.tasks import TASKS
from harness.smoothing.candidates import SmoothingGrid
from harness.smoothing.gaps import GAPS
from harness.training.backbones.config import Hardware, StillsConfig
from harness.training.heads.config import HeadConfig, require_fit
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.validation import _require, _require_distinct

COMPUTE = ("float32", "bf16", "fp16")
FEATURES = ("embeddings", "scores", "embeddings+scores")
PRUNERS = ("none", "median")
THRESHOLDS = ("chosen", "half")
MISSING = ("dropped", "filled")
MOST_SEEDS = 2**32


@dataclass(frozen=True)
class TrainedBackbone:
    """A backbone the recipe trains on stills when the store has no checkpoint of this training."""

    hash_tag: ClassVar[str] = "TrainedBackbone"
    name: str
    training: StillsConfig
    stills: SyntheticStills = SyntheticStills()


@dataclass(frozen=True)
class Grid:
    """Every combination of backbones with these features, heads and filters, for one task.

    backbones, smoothings: empty for those of the recipe; several smoothings are replayed from one training.
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
            _require_distinct(getattr(self, name), name, where)
        for name in ("backbones", "smoothings"):
            if getattr(self, name):
                _require_distinct(getattr(self, name), name, where)
        for head in self.heads:
            require_fit(head, TASKS[self.task])
            self._require_features(head)

    def _require_features(self, head: HeadConfig) -> None:
        """A part of a separate head reads columns of the job's features."""
        for part in head.parts:
            if part.features is not None and part.features not in FEATURES:
                raise unknown_name_error("features", part.features, FEATURES)
            for features in self.features:
                needed = head.features(part.output, features).split("+")
                _require(set(needed) <= set(features.split("+")),
                         f"head separate: its {part.output} network reads {'+'.join(needed)}, which are not all among "
                         f"the features {features} of the grid of task '{self.task}'; write features=embeddings+scores")


@dataclass(frozen=True)
class Search:
    """A TPE search over backbone, features, head, its hyperparameters, kernel and radius, one study a task.

    The ranges are inclusive; the objective is the task's metric on the selection split.
    batch: trials that are asked for at once and learn nothing of each other; those that are alike train together.
    gaps, thresholds: to choose among, as of `SmoothingGrid` and `Recipe`; empty for what these say.
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
            _require(getattr(self, name) >= 1, f"search.{name} is {getattr(self, name)}; at least 1 is needed")
        for name, known in (("gaps", GAPS), ("thresholds", THRESHOLDS)):
            for value in getattr(self, name):
                if value not in known:
                    raise unknown_name_error(f"search.{name}", value, known)
            _require(len(set(getattr(self, name))) == len(getattr(self, name)), f"search.{name} lists one twice")
        for name in ("hidden", "learning_rate", "l2", "epochs"):
            low, high = getattr(self, name)
            _require(0 < low <= high, f"search.{name} is {low},{high}; give two positive numbers, smallest first")


@dataclass(frozen=True)
class Recipe:
    """An experiment: which backbones, features, heads and filters are compared, on what, by which rules.

    thresholds: of action units, `chosen` on a grid for each, or `half` (0.5). missing: annotated frames without a crop
    are `dropped` from scoring, as the paper did, or `filled` from their neighbours and scored. pictures: whether each
    run draws its analysis. precision: as features are stored; compute: what backbones compute them in.
    memory: MiB of features that a job holds for training and again for choosing; more are read as they are needed.
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
    memory: int = 64
    baselines: bool = True
    thresholds: str = "chosen"
    missing: str = "dropped"
    pictures: bool = True
    search: Search | None = field(default=None)

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(grid.task for grid in self.grids))

    def every_backbone(self) -> tuple[str, ...]:
        """Names of the backbones that the grids use, each once: those of the recipe before those of single grids."""
        own = () if all(grid.backbones for grid in self.grids) else self.backbones
        return tuple(dict.fromkeys([*own, *(name for grid in self.grids for name in grid.backbones)]))

    def __post_init__(self) -> None:
        _require(all(0 <= seed < MOST_SEEDS for seed in self.seeds),
                 f"seeds {', '.join(map(str, self.seeds))}: a seed is a whole number from 0 to {MOST_SEEDS - 1}")
        _require(self.memory >= 1, f"memory is {self.memory}; a job holds at least 1 MiB of features")
        for name, known in (("precision", ("float16", "float32")), ("compute", COMPUTE),
                            ("thresholds", THRESHOLDS), ("missing", MISSING)):
            if getattr(self, name) not in known:
                raise unknown_name_error(name, getattr(self, name), known)
        for name in ("grids", "backbones", "seeds"):
            _require_distinct(getattr(self, name), name, f"recipe '{self.name}'")


MEANT = ("random", "pretrained", "import")
"""Words that references and commands have in a backbone's place."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class BackboneRecipe:
    """A backbone to train; `framelight train-backbone` makes it an entry of the store, which recipes name by `name`.

    hardware: what may change between two runs of the same training.
    stills: the built-in stills it is trained on when no --data is given; None: --data must be.
    licence: terms of the weights, for the card; "" where nobody has said.
    """

    hash_tag: ClassVar[str] = "BackboneRecipe"
    name: str
    training: StillsConfig
    hardware: Hardware = Hardware()
    stills: SyntheticStills | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        import backbones

        if not NAME.fullmatch(self.name):
            raise InputError(f"'{self.name}' cannot be a backbone's name: letters, digits and . _ - make one")
        if self.name in (*backbones.names(), *MEANT):
            raise InputError(f"'{self.name}' means something already among backbones; give the trained one another, "
                             f"--set name=my_{self.name}")
