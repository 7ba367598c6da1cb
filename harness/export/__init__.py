"""A run leaves: one file that takes face crops, checked against the run, scored and timed, with a card beside it."""
