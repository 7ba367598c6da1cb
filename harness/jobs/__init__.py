"""Jobs: fully specified trainings and evaluations, keyed by their content."""
