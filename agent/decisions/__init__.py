"""Kinds of decisions: what each asks of networks and learning, and how candidates are proposed."""

from typing import TypeAlias

from .binary import Binary
from .categorical import Categorical

Kind: TypeAlias = Binary | Categorical


def kind_of(num_choices: int, published: bool = False) -> Kind:
    """The kind of decision of users with so many choices: for two bits, `published` as the published code's."""
    return Binary(published) if num_choices == 2 else Categorical(num_choices)
