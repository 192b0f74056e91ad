"""Kinds of decisions: what each asks of networks and learning, and how candidates are proposed."""
