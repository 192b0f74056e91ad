"""The functions of the published code under their published names, answered by this project's solvers.

Published defaults throughout. They take what the published functions take, wherever that has a meaning: users that
are absent, weights longer than a decision, gains and weights of zero. What they do differently, and why, is listed
in docs/coming_from_the_published_code.md.
"""

from .ddlo import MUMT
from .droo import bisection, cd_method
from .lydroo import Algo1_NUM

__all__ = ["MUMT", "Algo1_NUM", "bisection", "cd_method"]
