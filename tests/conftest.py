"""Fixtures: the published data sets, where they are at hand, and a slow reference of the allocation.

Before NumPy is imported, one thread for each test process: more wait for each other longer than they work.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

PUBLISHED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

settings.register_profile("project", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("project")


@pytest.fixture(scope="session")
def published():
    """`published('data_7')`: the variables of a published file; skips where there is none."""

    def load(name):
        from scipy.io import loadmat

        return loadmat(published_path(name))

    return load


@pytest.fixture(scope="session")
def trace_path():
    """`trace_path('data_7')`: the path of a published file; skips where there is none."""
    return published_path


def published_path(name):
    path = PUBLISHED_DATA / f"{name}.mat"
    if not path.is_file():
        pytest.skip(f"the published data set {name}.mat is not at hand")
    return path
