"""Every table of the paper in one run: table_expr, table_va, table_au, table_smoothing and table_mtl.

    framelight run abaw3_tables --data AFFWILD2
    framelight leaderboard --published

Data and networks as of table_expr. Features are extracted once for each network (that is most of the time: 2.7 million
crops), heads are trained once and filters replayed, here of every network. All four tasks take the thresholds that are
best on the reported split; P_MTL at 0.5, which the paper's table of MTL shows, is each row's `P_MTL/threshold_0.5`.
"""

from dataclasses import replace

from experiments import table_au, table_expr, table_mtl, table_smoothing, table_va

TABLES = tuple(table.recipe for table in (table_expr, table_va, table_au, table_smoothing, table_mtl))

recipe = replace(table_expr.recipe, name="abaw3_tables", grids=tuple(grid for table in TABLES for grid in table.grids))
