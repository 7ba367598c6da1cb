"""Every table of the paper in one run: table_expr, table_va, table_au, table_smoothing and table_mtl.

    framelight run abaw3_tables --data AFFWILD2 --jobs N

Data and networks as of table_expr. On Aff-Wild2 the boards that it ends with hold the published figures beside the
runs; on other data `framelight leaderboard --published` shows them. All four tasks take the thresholds that are best on
the reported split; P_MTL at 0.5, which the paper's table of MTL shows, is each row's `P_MTL/threshold_0.5`.

It takes days on few cores. Features are extracted once for each network: 2.7 million crops at about 27 ms
(mobilenet_7), 42 ms (b0) or 114 ms (b2) each on one core, 280 core-hours for the six; what the store has is not
extracted again. Heads take about 3 core-hours a network, reckoned from an epoch on 60,000 rows; filters are replays,
here of every network. A trial on 10,676 crops with one small network (--set backbones=tiny_resnet@random --set
heads.epochs=1): 69 jobs, under a minute.
"""

from dataclasses import replace

from experiments import table_au, table_expr, table_mtl, table_smoothing, table_va

TABLES = tuple(table.recipe for table in (table_expr, table_va, table_au, table_smoothing, table_mtl))

recipe = replace(table_expr.recipe, name="abaw3_tables", grids=tuple(grid for table in TABLES for grid in table.grids))
