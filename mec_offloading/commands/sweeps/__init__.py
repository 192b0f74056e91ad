"""Sweeps: what a file asks for, its trials, and what runs them."""
