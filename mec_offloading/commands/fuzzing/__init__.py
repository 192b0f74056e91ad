"""Random and bad inputs against slow references."""
