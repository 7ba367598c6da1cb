"""Write the predictions of a finished run as the files that a challenge requires, and check such files."""
