"""Public functions of experiments and their results: run a recipe, rank runs, open a run, compare two runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.leaderboard.runs import find_pair, find_records, select_seed
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification import RunVerifier
from harness.metrics.tasks import get_task
from harness.tracking import remote_job_files, tracked_records
from harness.utils.errors import InputError
from harness.utils.paths import expand_home
from harness.utils.public_api import framelight_errors
from harness.utils.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.leaderboard.comparison import Comparison
    from harness.leaderboard.recipe_result import RecipeResult
    from harness.leaderboard.tracked_run import TrackedRun
    from harness.runner.recipe import Recipe

logger = logging.getLogger(__name__)


@framelight_errors
def run(  # noqa: PLR0913 - public, one keyword for each option
    recipe: Recipe | Path | str,
    data: Path | str | None = None,
    store: Store | Path | str | None = None,
    *,
    settings: Sequence[str] | str = (),
    jobs: int | None = None,
    force: bool = False,
    tracking_uri: str | None = None,
) -> RecipeResult:
    """Run a recipe, as `framelight run` does; jobs that are finished in the store are not run again.

    Parameters
    ----------
    recipe : Recipe, path or str
        A recipe, the name of one in `experiments`, or a Python file that defines `recipe`.
    data : path, optional
        Folder of a dataset. Default: the synthetic videos that the recipe renders, if it does.
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    settings : str or sequence of str
        Changes of the recipe as `KEY=VALUE`, such as `"seeds=0,1,2"`.
    jobs : int, optional
        Number of jobs that run at a time. Default: the number of available cores.
    force : bool
        Run finished jobs again.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    RecipeResult
        `boards` (a DataFrame), `computed`, `cached`, `failures` and `lost`.

    Raises
    ------
    InputError
        If the recipe, a setting or the dataset cannot be used.
    FramelightError
        If the store cannot be written, the tracking server does not answer, or a worker process dies.

    Examples
    --------
    >>> recipe = Recipe("small", (Grid("expr"),), ("tiny_mobilenet@random",), baselines=False)
    >>> result = run(recipe, data, store, settings=["heads.epochs=2"], jobs=1)
    >>> result.computed + result.cached, result.failures
    (1, [])
    >>> sorted(result.boards["task"].unique())
    ['expr']
    """
    from harness.leaderboard.recipe_result import RecipeResult
    from harness.runner.start import start_recipe

    store = Store.default(store, tracking_uri)
    data = None if data is None else expand_home(data)
    return RecipeResult(start_recipe(recipe, data, store, settings, jobs, force), store)


def leaderboard(
    store: Store | Path | str | None = None, task: str | None = None, tracking_uri: str | None = None
) -> pd.DataFrame:
    """Rank the tracked runs, as `framelight leaderboard` does.

    Parameters
    ----------
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    task : {"expr", "va", "au", "mtl"}, optional
        Default: all tasks.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    pandas.DataFrame
        One row for each configuration, with the columns of `framelight leaderboard --format json` (`rank`, `run_id`,
        `task`, `backbone`, `features`, `head`, `value`, `ci_low`, `ci_high`, `tied_with_best`, ...), grouped by
        board, best first. Empty if there are no runs.

    Raises
    ------
    InputError
        If the task is unknown, or the store is a file.
    FramelightError
        If the tracking server does not answer.

    Examples
    --------
    >>> board = leaderboard(store, task="expr")
    >>> sorted(board["kind"].unique())
    ['baseline', 'run']
    """
    from harness.leaderboard.boards import board_rows
    from harness.leaderboard.recipe_result import to_data_frame

    if task is not None:
        get_task(task)
    store = Store.default(store, tracking_uri)
    store.require_folder()
    return to_data_frame(board_rows(store, task))


def find_run(
    run: str,
    store: Store | Path | str | None = None,
    *,
    seed: int | None = None,
    data: Path | str | None = None,
    tracking_uri: str | None = None,
) -> TrackedRun:
    """Open one seed of a finished run: its configuration, scores, predictions, labels and figures.

    Parameters
    ----------
    run : str
        A run id or its first characters, a job id (`<run id>-s<seed>`), or `best:TASK`.
    store : path, optional
        The store of the run. Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    seed : int, optional
        Default: the first seed of the run.
    data : path, optional
        Current folder of the dataset, for `labels`. Default: the folder from which it was last opened.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    TrackedRun
        `config`, `metrics`, `predictions`, `labels`, `statistics`, `units`, `figures` and `folder`.

    Raises
    ------
    InputError
        If the run or seed does not exist, its files are not in the store, or `data` is not a dataset.
    FramelightError
        If another version of Framelight ran the job, or the tracking server does not answer.

    Examples
    --------
    >>> best = find_run("best:expr", store)
    >>> best.config.features in FEATURES
    True
    >>> frames = best.predictions.merge(best.labels, on=["video", "frame"], suffixes=("", "_true"))
    >>> score = p_expr(frames["expression_true"].cat.codes, frames["expression"].cat.codes)
    >>> abs(score - best.metrics["P_EXPR"]) < 1e-9
    True
    """
    from harness.jobs.job import parse_configuration
    from harness.leaderboard.dataset_folders import DatasetFolders
    from harness.leaderboard.tracked_run import TrackedRun

    store = Store.default(store, tracking_uri)
    records = tracked_records(store)
    verifier = RunVerifier(store, SignificanceCache(store, remote_job_files(store)), full=True)
    record = select_seed(find_records(records, run, verifier.verify), seed)
    folders = DatasetFolders(store, records, None if data is None else expand_home(data))
    opened = TrackedRun(record, parse_configuration(record), store, folders)
    if not opened.folder.is_dir():
        raise InputError(
            f"the files of run {record.job_id} are not in {store} ({opened.folder} is missing); name the "
            "store that it ran in"
        )
    for problem in verifier.verify([record]).problems:
        logger.warning(problem)
    return opened


def compare(
    first: str, second: str, store: Store | Path | str | None = None, *, tracking_uri: str | None = None
) -> Comparison:
    """Compare two runs on the same videos by a paired test, as `framelight compare` does.

    Parameters
    ----------
    first, second : str
        Runs, see `find_run`. If only one of the two is `best:TASK`, it is the best run on the data of the other run.
    store : path, optional
        Default: `$FRAMELIGHT_STORE`, else `framelight-store` in the working directory.
    tracking_uri : str, optional
        An MLflow server. Default: `$MLFLOW_TRACKING_URI`, else the store's own database.

    Returns
    -------
    Comparison
        `metric` (both scores, and the paired difference with interval and p-value), `parts` (the same for other
        metrics), `for_first` and `for_second` (the most influential videos), `differing` (settings) and `detectable`
        (the minimum detectable difference). Its `str` is the output of the command.

    Raises
    ------
    InputError
        If a run does not exist, both arguments name the same run, runs of several seeds have no seed in common, or the
        runs are not scored on the same labels.
    FramelightError
        If the statistics of a run cannot be read, or the tracking server does not answer.

    Examples
    --------
    >>> runs = leaderboard(store, task="expr")["run_id"]
    >>> comparison = compare(runs[0], runs[1], store)
    >>> comparison.metric.name, comparison.metric.paired.difference >= 0
    ('P_EXPR', True)
    """
    from harness.leaderboard.comparison import compare_records

    store = Store.default(store, tracking_uri)
    if not store.has_runs:
        raise InputError(
            f"no runs are tracked in {store}; pass the store of the runs with --store, "
            "or start with: framelight run quickstart"
        )
    significance = SignificanceCache(store, remote_job_files(store))
    verifier = RunVerifier(store, significance, full=True)
    sides = find_pair(tracked_records(store), first, second, verifier.verify)
    problems = [verifier.verify(side).problems for side in sides]
    return compare_records(*sides, significance.statistics, problems)
