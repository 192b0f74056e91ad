"""A network for choices: one rule, shared by all pairs of a user and a server, for any number of users and
servers.

A user that chooses its server has to know how crowded each will be, which depends on what the others choose. So
users and servers exchange messages for some rounds: from the users' present probabilities each server's crowd is
summed up, and from the sums each user corrects its logits. (Where a server's cost is the square of a sum, as in
`env.multi_server`, what a pair costs is its own term times the crowd's sum, and rounds that subtract it from the
logits are steps of mirror descent in the continuous relaxation.)
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import InputError, number_between, size, whole_number
from .interface import LARGEST_WEIGHT, widths_of

MOST_ROUNDS = 10_000
PRICE_STEPS = 2
"""Of places, in a round."""
LARGEST = 3.0
"""Of the logarithm of a product of a user's own power and its crowd's sum, so that a bad pair stays finite."""


class PairNetwork(nn.Module):
    """Logits of users' choices from features of user-server pairs and from power sums over each server's crowd.

    Of user u and server s, with features f_us (P,) and exponents A (P, K), a round does this:

    1. p_us: the softmax of the user's logits z_us over the servers and local computing, whose logit is 0.
    2. The crowd's K sums ``c_sk = ln sum_u p_us exp(A_k f_us)``, and with the pair's own power their product
       ``exp(A_k f_us + c_sk)``. Where features are logarithms, these are sums of powers.
    3. To z_us is added what a layer with ReLU, with a linear connection beside it, makes of f_us, p_us, the sums,
       the products, and the pair's own powers squared.
    4. Where server s has q_s places, its price l_s, by which its logits are lowered, becomes
       ``max(0, l_s + ln(sum_u p_us / q_s))``: a step of Sinkhorn's method for at most q_s users.

    All pairs and rounds share the weights, so users and servers may come in any order and any number.

    Args:
        num_users: N of the first use, as other networks take it; None or any number, all work alike.
        num_features: F = P M of an observation (N, F): M servers' first features, then their second, and so on.
        num_choices: C = M + 1 of the first use.
        sums: K; the first exponents are 1 for one feature each, in turn.
        rounds: of exchange.
        hidden: width of each hidden layer.
        capacities: q_s, places on each server; one number, or one for each; None for no limit.
        crowding: of the untrained network, by how much a product of 1 lowers a logit in a round; half as much as
            being on the server raises it.

    Attributes:
        any_size: whether frames may differ in their number of users.

    Raises:
        InputError: when a size is out of range (rounds: 1 to 10,000), naming it.
    """

    any_size = True

    def __init__(
        self,
        num_users: int | None = None,
        num_features: int = 2,
        num_choices: int = 2,
        sums: int = 2,
        rounds: int = 12,
        hidden: Sequence[int] = (16,),
        capacities: int | Sequence[int] | None = None,
        crowding: float = 2.0,
    ) -> None:
        super().__init__()
        servers = size("num_choices", num_choices, 2) - 1
        if size("num_features", num_features) % servers:
            raise InputError(f"num_features must be so many for each of {servers} servers, got {num_features}")
        self._per_pair = num_features // servers
        size("sums", sums)
        hidden = widths_of("hidden", hidden)
        if num_users is not None:
            size("num_users", num_users)
        self.rounds = whole_number("rounds", rounds, most=MOST_ROUNDS)
        crowding = number_between(
            "crowding", crowding, -LARGEST_WEIGHT, LARGEST_WEIGHT, f"be up to {LARGEST_WEIGHT:g}"
        )
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "num_choices": num_choices,
            "sums": sums,
            "rounds": rounds,
            "hidden": list(hidden),
            "capacities": capacities,
            "crowding": crowding,
        }
        self._log_places = None
        if capacities is not None:
            places = capacities if isinstance(capacities, list | tuple) else [capacities]
            places = [whole_number(f"capacities[{place}]", one, 0) for place, one in enumerate(places)]
            if len(places) not in (1, servers):
                raise InputError(
                    f"capacities must be one number, or one for each of {servers} servers, got {places}"
                )
            self._log_places = torch.tensor(places).clamp(min=1e-3).log()
        exponents = torch.zeros(self._per_pair, sums)
        exponents[torch.arange(sums) % self._per_pair, torch.arange(sums)] = 1.0
        self.exponents = nn.Parameter(exponents)
        widths = [self._per_pair + 1 + 3 * sums, *hidden]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        self.head = nn.Linear(widths[-1], 1, bias=False)
        self.skip = nn.Linear(widths[0], 1)
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        with torch.no_grad():
            self.head.weight *= 0.1
            self.skip.weight.zero_()
            self.skip.weight[0, self._per_pair + 1 + sums : self._per_pair + 1 + 2 * sums] = -crowding
            self.skip.bias.fill_(crowding / 2)

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N, C) of observations (..., N, P (C - 1)), for any N and C."""
        pairs = observations.reshape(*observations.shape[:-1], self._per_pair, -1).transpose(-1, -2)
        own = pairs @ self.exponents
        squared = (2 * own.clamp(max=LARGEST / 2)).exp()
        free = torch.zeros_like(pairs[..., 0])
        price = torch.zeros_like(free[..., :1, :])
        for _ in range(self.rounds):
            likely = _log_softmax(free - price)
            if self._log_places is not None:
                for _ in range(PRICE_STEPS):
                    taken = torch.logsumexp(likely, -2, keepdim=True)
                    price = torch.relu(price + taken - self._log_places.to(taken))
                    likely = _log_softmax(free - price)
            likely = likely[..., None]
            crowd = torch.logsumexp(likely + own, -3, keepdim=True)
            products = (own + crowd).clamp(max=LARGEST).exp()
            seen = torch.cat([pairs, likely.exp(), crowd.expand_as(own), products, squared], -1)
            signal = seen
            for layer in self.layers:
                signal = torch.relu(layer(signal))
            free = free + (self.head(signal) + self.skip(seen))[..., 0]
        return nn.functional.pad(free - price, (1, 0)) * self.sharpness.exp()


def _log_softmax(logits: Tensor) -> Tensor:
    """ln p_us of logits (..., N, M), beside those of local computing, 0."""
    return logits - torch.logsumexp(nn.functional.pad(logits, (1, 0)), -1, keepdim=True)
