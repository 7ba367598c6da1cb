"""Measured running times of the recipes, printed by `framelight recipes`.

The times are listed here and are not fields of the recipes, so that a new measurement does not change a recipe's hash.
"""

MINUTES: dict[str, float | None] = {
    # framelight run NAME
    "abaw3_au": 7.7,
    "abaw3_expr": 7.6,
    "abaw3_mtl": 7.9,
    "abaw3_tables": None,
    "abaw3_va": 7.7,
    "abaw4_mtl": None,
    "quickstart": 4.2,
    "real_faces": 8.0,
    "table_au": None,
    "table_expr": None,
    "table_mtl": None,
    "table_smoothing": None,
    "table_va": None,
    # framelight train-backbone NAME
    "affectnet_expressions": None,
    "affectnet_multitask": None,
    "light_both": None,
    "light_expressions": None,
    "light_identities": None,
    "vggface2_identities": None,
}
"""Measured minutes of a first run in an empty store on two cores; None if not measured.

Measured on two idle cores of an Intel Xeon: `abaw3_*` on 40 rendered videos (10,676 crops), `real_faces` on 10,843
images. Each of these times includes 7.2 minutes for the training of the two backbones that these recipes share, which
was measured once and added.
"""
