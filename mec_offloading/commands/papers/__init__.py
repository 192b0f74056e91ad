"""A paper: what its file names, and the folder in which all of it is made."""
