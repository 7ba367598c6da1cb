"""Import weight files as backbone entries; no code in a file is ever executed."""
