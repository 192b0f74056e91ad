"""Progress bars: in a notebook with ipywidgets one of its own, else text."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)  # of a notebook without ipywidgets
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
