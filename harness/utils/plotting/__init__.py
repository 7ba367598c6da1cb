"""How pictures look, whoever draws them."""
