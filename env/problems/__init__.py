"""Small problems of many kinds, each with its optimum: what an agent's defaults are held against.

`scripts/problems.py` runs agents in them. `TUNED` are those that the defaults were chosen on, `REPORTED` those
that no choice has seen.
"""

from .choosing import AtMost, Coverage, Exactly, Knapsack, OneOf, SeparablePrices
from .disturbed import Changing, Jumping, NoisyCoupling, NoisyPrices, UselessFeatures
from .problem import SmallProblem
from .together import (
    AgreeingGroups,
    Conflicts,
    HiddenOrder,
    LargeCosts,
    MaxCut,
    PairwiseCoupling,
    Precedence,
    ServersAsBits,
    SharedChannel,
)

TUNED: tuple[type[SmallProblem], ...] = (
    SeparablePrices,
    AtMost,
    Exactly,
    OneOf,
    Knapsack,
    AgreeingGroups,
    PairwiseCoupling,
    SharedChannel,
    Coverage,
    Changing,
    NoisyCoupling,
)
REPORTED: tuple[type[SmallProblem], ...] = (
    MaxCut,
    Conflicts,
    Precedence,
    HiddenOrder,
    ServersAsBits,
    LargeCosts,
    Jumping,
    NoisyPrices,
    UselessFeatures,
)

__all__ = [
    "REPORTED",
    "TUNED",
    "AgreeingGroups",
    "AtMost",
    "Changing",
    "Conflicts",
    "Coverage",
    "Exactly",
    "HiddenOrder",
    "Jumping",
    "Knapsack",
    "LargeCosts",
    "MaxCut",
    "NoisyCoupling",
    "NoisyPrices",
    "OneOf",
    "PairwiseCoupling",
    "Precedence",
    "SeparablePrices",
    "ServersAsBits",
    "SharedChannel",
    "SmallProblem",
    "UselessFeatures",
]
