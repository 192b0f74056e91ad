"""Runs: the loop, its record, many at once, comparisons, and the folder that keeps them."""
