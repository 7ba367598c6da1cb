"""Measured running times of the recipes, printed by `framelight recipes`.

They are listed here and are not fields of the recipes, so that a new measurement does not change a recipe's hash.
"""

MINUTES: dict[str, float | None] = {
    # framelight run NAME
    "abaw3_au": None,
    "abaw3_expr": None,
    "abaw3_mtl": None,
    "abaw3_tables": None,
    "abaw3_va": None,
    "abaw4_mtl": None,
    "quickstart": 4.1,
    "real_faces": None,
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
"""Measured minutes of a first run in an empty store on two cores; None if it was not measured.

Recipes that need `--data` are measured on the videos or stills of `framelight data make`.
"""
