"""The quantizers, under the path that research code imports them from."""

from .decisions.most_probable import MostProbable
from .decisions.quantizer import (
    KNearest,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OrderPreserving,
    OrderPreservingAndNearest,
    Quantizer,
)

__all__ = [
    "KNearest",
    "MostProbable",
    "NoisyOrderPreserving",
    "NoisyProbabilities",
    "OrderPreserving",
    "OrderPreservingAndNearest",
    "Quantizer",
]
