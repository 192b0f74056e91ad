"""The progress bar of a run, in a terminal or in a notebook."""

import warnings
from typing import Any

from tqdm import TqdmWarning


def progress_bar(total: int, initial: int = 0, unit: str = "frame") -> Any:
    """A bar of so many frames: in a notebook with ipywidgets one of its own, else text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # of a notebook without ipywidgets
        from tqdm.auto import tqdm
    return tqdm(total=total, initial=initial, unit=unit, mininterval=0.5, smoothing=0)
