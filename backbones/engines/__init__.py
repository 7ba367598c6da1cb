"""Ways to run a backbone's forward pass, and the choice among them."""
