"""Jobs: fully specified trainings and evaluations, identified by a hash of their content."""
