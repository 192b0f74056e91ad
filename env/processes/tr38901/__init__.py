"""The channel of 3GPP TR 38.901 V16.1: one module for each of its sections that is used here."""

from .channel import TR38901
from .scenarios import InF, InH, RMa, Scenario, UMa, UMi

__all__ = ["TR38901", "InF", "InH", "RMa", "Scenario", "UMa", "UMi"]
