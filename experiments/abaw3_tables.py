"""All tables of the paper in one run: table_expr, table_va, table_au, table_smoothing and table_mtl.

    framelight run abaw3_tables --data AFFWILD2 --jobs N

For data and backbones, see table_expr. On Aff-Wild2, the final leaderboards include the published scores; on other
data, `framelight leaderboard --published` shows them. Action units always use the thresholds that are best on the
reported split. For P_MTL with thresholds of 0.5, as in the paper's MTL table, see `P_MTL/threshold_0.5` of each row.

The run takes days on a few cores. Features are extracted once for each of the six backbones and cached: 2.7 million
crops at about 27 ms (mobilenet_7), 42 ms (b0) or 114 ms (b2) per crop on one core, 280 core-hours in total. The heads
take about 3 core-hours per backbone, estimated from an epoch on 60,000 rows. Filters are compared for every backbone;
they reuse the predictions of networks that are trained once. For a trial run, add --set backbones=tiny_resnet@random
--set heads.epochs=1: 69 jobs, which take less than a minute on 10,676 crops.
"""

from dataclasses import replace

from experiments import table_au, table_expr, table_mtl, table_smoothing, table_va

TABLES = tuple(table.recipe for table in (table_expr, table_va, table_au, table_smoothing, table_mtl))

recipe = replace(table_expr.recipe, name="abaw3_tables", grids=tuple(grid for table in TABLES for grid in table.grids))
