"""A network for any number of users: one rule, shared by all, that sees each user and a summary of its crowd.

What a user needs to know of its crowd, in the wireless powered problem, is two numbers: the frame's charging time
and its price of time. Both follow from sums of powers of gains and weights over users. These summaries were tried
in their place, with the same features, slopes, hidden layer of 32 and training (Adam 0.05, batch 64, running mean
of the weights 0.95, training interval 10): mean shortfall from the optimum, in millionths of it. The first three
columns are online at N = 10, 20 and 30 (3 seeds each, +- standard deviation over the 9 runs) with the critic calls
a frame, then; the others trained on 10 to 30 users for 1,500 batches of 32 frames (2 seeds) and asked without
training, with 5 candidates, on 100 frames.

    summary                         frames      calls   N = 60     100     300    1000
                                 1,000-3,000
    mean of 16 embeddings          36 +- 22      3.80    2,200  15,000  88,000  190,000
    maximum of 16                   5 +- 2       3.53       23   1,700  20,000   58,000
    log-sum-exp of 16              18 +- 4       3.86        4       9     150      150
    mean and log-sum-exp to 8      23 +- 15      5.62    4,800  14,000  57,000  120,000
    sums over users above, below   12 +- 8       3.22       35     110     860    8,500
    sums gated by a first pass    1.6 +- 1.7     2.86        0      13   3,300   87,000
    power sums, exponents fixed   1.4 +- 1.0     3.10       35   1,400     210        0
    one power sum                 0.8 +- 0.8     2.89        4       6     150       66
    two power sums (this one)     0.9 +- 0.8     2.91        0       0     350        0
    four power sums               0.9 +- 0.7     2.90        0       0     370        0

These runs were a trial of its own, with this project's solver and quantizer. In all of them frames 1-300 fall
short by 15 to 150 millionths, because the untrained network already has the users in order. Without the
running mean of the weights, calls rise from 2.9 to 3.16 (18 runs). The settings were tuned for power sums,
the others tried at 3 learning rates. `scripts/pretrain.py` draws weights that differ up to a hundredfold in
most frames, since a light user among heavy ones sees the same crowd as a user among many: that carries the
rule to 1,000 users.

Where few of many may do a thing (LyDROO: mostly one user offloads; DDLO: mostly one of a user's tasks stays), a
user must be held against the best one, not against a level. Two settings do that: `relative`, by which the layers
see a user's log shares of the sums, ``ln(exp(A_k f_i) / sum_j exp(A_k f_j))``, and exponents large at first, by
which a sum stands for its largest term; with an `embedding` these terms are learned functions. What was tried for
both worlds is in docs/lyapunov_and_multi_task.md.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import InputError, finite_numbers, flag, number_between, real_array, size
from .interface import LARGEST_WEIGHT, widths_of

SCALE = 3.0
"""Logits are this times what the layers give, so that Adam sharpens a decision in few steps."""
SLOPES = (1.5, 0.75)
"""Of log-gain and log-weight in the first logit."""
SHARP = 4.0
"""The first exponents of an embedding are uniform up to this over the square root of its width."""
CENTRE, SPREAD = 3.0, 2.0
"""Of the logarithms of sums over 10 to 30 users, so that the layers see numbers around 0."""
NOBODY = -1e4
"""The exponent of a user that is off, in the sums."""
OFF = -30.0
"""The logit of a user that is off: a quantizer flips it last."""


class SetNetwork(nn.Module):
    """Logits of users from their own features and from power sums over all users that are on.

    With f_i the features of user i but for its mask, the crowd is `sums` numbers ``c_k = ln sum_i exp(A_k f_i)``.
    Where the features are logarithms (of gain and weight), these are sums of powers whose exponents A are
    learned. Each user's f_i and the crowd's c pass through hidden layers with ReLU, beside them a linear skip
    connection. All users share the weights, so users may come in any order and any number.

    Where users form groups that decide apart (the tasks of one user in DDLO), each group is a crowd of its own.

    Args:
        num_users: N of the first use, as other networks take it; None or any number, all work alike.
        num_features: F; where `masked`, the last feature is the mask, positive for a user that is on, 0 for
            one that is off.
        sums: power sums that describe the crowd; at first their exponents of the first feature go from 1 to 2,
            those of the other features are 1.
        hidden: width of each hidden layer.
        slopes: weights in the untrained logit of what the layers see, the user's own features before the crowd, 0
            where there are none. By default, for logarithms of gain and weight, the untrained network orders users
            by gain and weight.
        masked: whether the last feature is a mask. Without one all users are on, in frames of one number of users.
        group: G, users of each crowd, one after another; None for all in one.
        embedding: widths of layers with ReLU that a user's features pass on their way into the sums (not into the
            layers after them); the exponents are then those of the last of them, and random at first.
        relative: let the layers see, in place of the sums, each user's log shares of them, ``A_k f_i - c_k``.
        exponents: the first exponents, one list of a number for each feature in place of each of `sums`.
        bias: the untrained logit where all that the layers see is 0; by default few of many users offload.

    Attributes:
        any_size: whether frames may differ in their number of users, filled up with users that are off.

    Raises:
        InputError: when a size is out of range, or lists do not fit each other.
    """

    def __init__(
        self,
        num_users: int | None = None,
        num_features: int = 3,
        sums: int = 2,
        hidden: Sequence[int] = (32,),
        slopes: Sequence[float] | None = None,
        masked: bool = True,
        group: int | None = None,
        embedding: Sequence[int] = (),
        relative: bool = False,
        exponents: Sequence[Sequence[float]] | None = None,
        bias: float = -3.0,
    ) -> None:
        super().__init__()
        self.any_size = self.masked = masked = flag("masked", masked)
        self.relative = flag("relative", relative)
        own = size("num_features", num_features, 2 if masked else 1) - masked
        hidden, embedding = widths_of("hidden", hidden), widths_of("embedding", embedding)
        if exponents is not None:
            exponents = _rows(exponents, [own, *embedding][-1])
        sums = size("sums", sums) if exponents is None else len(exponents)
        if num_users is not None:
            size("num_users", num_users)
        self.group = None if group is None else size("group", group)
        if group is not None and num_users is not None and num_users % group:
            raise InputError(f"num_users must be a multiple of group, {group}, got {num_users}")
        slopes = SLOPES[:own] if slopes is None else finite_numbers("slopes", slopes, LARGEST_WEIGHT)
        if len(slopes) > own + sums:
            raise InputError(f"slopes must be at most {own + sums}, one for all that is seen, got {list(slopes)}")
        bias = number_between("bias", bias, -LARGEST_WEIGHT, LARGEST_WEIGHT, "be up to 1e30")
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "sums": sums,
            "hidden": list(hidden),
            "slopes": list(slopes),
            "masked": masked,
            "group": group,
            "embedding": list(embedding),
            "relative": relative,
            "exponents": None if exponents is None else [list(one) for one in exponents],
            "bias": bias,
        }
        inner = [own, *embedding]
        self.embedding = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(inner))
        self.exponents = nn.Parameter(_first_exponents(inner[-1], sums, exponents, bool(embedding)))
        widths = [own + sums, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.head = nn.Linear(widths[-1], 1, bias=False)
        self.skip = nn.Linear(widths[0], 1)
        with torch.no_grad():
            self.head.weight *= 0.1
            self.skip.weight.zero_()
            first = torch.tensor(list(slopes), dtype=self.skip.weight.dtype)
            self.skip.weight[0, : len(first)] = first / SCALE
            self.skip.bias.fill_(bias / SCALE)

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N) of observations (..., N, F), for any N; `OFF` for users that are off."""
        observations, shape = _grouped(observations, self.group), observations.shape[:-1]
        user, on = observations, torch.ones_like(observations[..., :1], dtype=torch.bool)
        if self.masked:
            user, on = observations[..., :-1], observations[..., -1:] > 0
        inner = user
        for layer in self.embedding:
            inner = torch.relu(layer(inner))
        terms = torch.where(on, inner @ self.exponents, NOBODY)
        sums = torch.logsumexp(terms, -2, keepdim=True)
        crowd = terms - sums if self.relative else ((sums - CENTRE) / SPREAD).expand(*user.shape[:-1], -1)
        seen = signal = torch.cat([user, crowd], -1)
        for layer in self.layers:
            signal = torch.relu(layer(signal))
        logits = SCALE * (self.head(signal) + self.skip(seen))
        return torch.where(on, logits, OFF).reshape(shape)


def _grouped(observations: Tensor, group: int | None) -> Tensor:
    """Observations (..., N, F) as (..., N / G, G, F); raises InputError where N is no multiple of G."""
    if group is None:
        return observations
    num_users = observations.shape[-2]
    if num_users % group:
        raise InputError(f"num_users must be a multiple of group, {group}, got {num_users}")
    return observations.reshape(*observations.shape[:-2], -1, group, observations.shape[-1])


def _rows(given: Any, inputs: int) -> list[list[float]]:
    """The exponents that are given, as lists; raises InputError where they are no lists of `inputs` numbers."""
    array = real_array("exponents", given, np.float64)
    if array.ndim != 2 or not len(array) or array.shape[1] != inputs or not (abs(array) <= LARGEST_WEIGHT).all():
        raise InputError(f"exponents must be lists of {inputs} numbers, one a feature, got {given!r}")
    listed: list[list[float]] = array.tolist()
    return listed


def _first_exponents(inputs: int, sums: int, given: Sequence[Sequence[float]] | None, embedded: bool) -> Tensor:
    if given is not None:
        return torch.tensor(given, dtype=torch.get_default_dtype()).T.contiguous()
    if embedded:
        bound = SHARP / inputs**0.5
        return torch.empty(inputs, sums).uniform_(-bound, bound)
    exponents = torch.ones(inputs, sums)
    exponents[0] = torch.linspace(1, 2, sums) if sums > 1 else 1.5
    return exponents
