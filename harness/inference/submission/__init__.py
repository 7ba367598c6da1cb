"""A finished run's predictions as the files that a challenge asks for, and the check of such files."""
