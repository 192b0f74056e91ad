"""Learning written out in NumPy: on a CPU the fastest backend for the project's networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..checks import FLOAT32
from ..decisions import Kind
from ..machine_code import compile_ahead, machine_code
from ..networks.fully_connected import FullyConnected
from ..networks.set_network import SetNetwork
from ..standardization import Standardization
from .backpropagation import COMPILED, of_fully_connected
from .rule import ADAM_EPSILON, LearningRule
from .set_backpropagation import SetPasses

CACHED_REPLICAS = 8
"""Replicas that learn together: the signals of so many stay in a processor's cache."""
PASSES: dict[type[nn.Module], Any] = {FullyConnected: of_fully_connected, SetNetwork: SetPasses}
"""The networks whose passes are written out."""
VIEWS = ("weights", "gradients", "_deciding", "_chunks")
"""Attributes that copies and pickles make again: a copied view is an array of its own, which nothing trains."""


class NumpyLearner:
    """Loss, error term, and the optimiser's step, on one vector that holds all weights.

    The weights start as the network's, so that all backends begin from the same place.

    Args:
        network: trained in place: its parameters become views of `weights`. Or one for each of R replicas, all of
            one size, which are copied; all arrays then have R as first dimension, written (...) below.
        rule: loss, optimiser and their settings.
        kind: of decision.
        dtype: of weights and signals; float64 to check gradients.
        passes: forward and backward of the network; by default those of its class, in `PASSES`.

    Attributes:
        weights, gradients: views of the vectors, by the names they have in the torch network.
    """

    def __init__(
        self,
        network: nn.Module | Sequence[nn.Module],
        rule: LearningRule,
        kind: Kind,
        dtype: str = "float32",
        passes: Any = None,
    ) -> None:
        networks = [network] if isinstance(network, nn.Module) else network
        self.rule = rule
        self._kind = kind
        self._passes = PASSES[type(networks[0])](networks[0]) if passes is None else passes
        self._shapes = {name: tuple(weight.shape) for name, weight in networks[0].named_parameters()}
        vectors = [
            np.concatenate([weight.detach().numpy().ravel() for weight in one.parameters()]) for one in networks
        ]
        weights = np.array(vectors, dtype=dtype)
        rates = np.full((len(networks), 1), np.asarray(rule.learning_rate).reshape(-1, 1), dtype=np.float64)
        if isinstance(network, nn.Module):
            weights, rates = weights[0], rates[0]
        self._state = {
            "weights": weights,
            "gradient": np.zeros_like(weights),
            "first_moment": np.zeros_like(weights),
            "second_moment": np.zeros_like(weights),
            "steps": np.zeros_like(rates),
            "rate": rates,
        }
        if rule.weight_averaging:
            self._state["average"] = weights.copy()
        if weights.dtype == np.float32:
            each = "" if weights.ndim == 1 else "_of_each"
            compile_ahead([f"{module}{each}" for module in (self._passes.compiled, COMPILED)])
        in_place = isinstance(network, nn.Module) and weights.dtype == np.float32
        self._network = networks[0] if in_place else None
        self._look()

    def _look(self) -> None:
        """Make what consists of views: arrays by name, the network's parameters, replicas that learn together."""
        self.weights = self._views(self._state["weights"])
        self.gradients = self._views(self._state["gradient"])
        self._deciding = self._views(self._state["average"]) if self.rule.weight_averaging else self.weights
        if self._network is not None:
            for name, parameter in self._network.named_parameters():
                parameter.data = torch.from_numpy(self.weights[name])
        self._chunks: list[tuple[slice, NumpyLearner]] = []
        replicas = len(self._state["rate"]) if self._state["rate"].ndim > 1 else 1
        if replicas > CACHED_REPLICAS:
            for first in range(0, replicas, CACHED_REPLICAS):
                places = slice(first, first + CACHED_REPLICAS)
                self._chunks.append((places, self._part(places)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in VIEWS}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self._look()

    def _part(self, replicas: Any) -> "NumpyLearner":
        """A learner of some replicas; for a slice its arrays are views of this one's."""
        part = object.__new__(type(self))
        of_some = {name: array[replicas] for name, array in self._state.items()}
        part.__setstate__({**self.__getstate__(), "_state": of_some})
        return part

    def predict(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (..., B, N) or (..., B, N, C) of observations (..., B, N, F).

        Those of one observation, B = 1, are computed in double precision and rounded: the same bits in machine
        code and in NumPy, so that one decision follows from one state.
        """
        logits: NDArray[np.float32]
        if observations.shape[-3] > 1:
            logits = self._passes.forward(self._deciding, self._typed(observations))[0]
            return logits
        vector = self._state["average" if self.rule.weight_averaging else "weights"]
        if vector.dtype == observations.dtype == FLOAT32:
            passes = self._passes
            if vector.ndim == 1 and (code := machine_code(passes.compiled)) is not None:
                logits = passes.forward_one(code, vector, observations)
                return logits
            if vector.ndim > 1 and (code := machine_code(f"{passes.compiled}_of_each")) is not None:
                logits = passes.forward_each(code, vector, observations)
                return logits
        exact = self._views(vector.astype(np.float64))
        return self._passes.forward(exact, observations.astype(np.float64))[0].astype(vector.dtype)

    def relax_one(self, observation: NDArray[np.float64], standardization: Standardization) -> Any:
        """The relaxed decision (N,) of bits of one observation (N, F), standardised, all in one call.

        None where there is no machine code for that; bit for bit it is what `predict` leads to.
        """
        vector = self._state["average" if self.rule.weight_averaging else "weights"]
        if vector.dtype != FLOAT32 or not hasattr(self._passes, "relax_one"):
            return None
        return self._passes.relax_one(vector, observation[None], standardization)

    def deciding(self) -> dict[str, NDArray[np.floating]]:
        """The weights that `predict` takes, by the names they have in the torch network."""
        return self._deciding

    def learn(
        self,
        observations: NDArray[np.float32],
        decisions: NDArray[np.float32],
        replicas: NDArray[np.intp] | None = None,
    ) -> Any:
        """One step on observations (..., B, N, F) and decisions (..., B, N); returns the loss (...) before it.

        With `replicas`, the places of some of them, only those learn, and the arrays hold only theirs.
        """
        if replicas is not None:
            part = self._part(replicas)
            loss = part.learn(observations, decisions)
            for name, array in part._state.items():
                self._state[name][replicas] = array
            return loss
        if self._chunks:
            return np.concatenate([part.learn(observations[at], decisions[at]) for at, part in self._chunks])
        loss = self.backward(observations, decisions)
        self.update()
        return loss

    def backward(self, observations: NDArray[np.floating], decisions: NDArray[np.floating]) -> Any:
        """Fill `gradients` for observations (..., B, N, F) and decisions (..., B, N); returns the loss (...)."""
        logits, signals = self._passes.forward(self.weights, self._typed(observations))
        loss, error = self._kind.loss_and_error(logits, decisions, self.rule.loss)
        self._passes.backward(self.weights, self.gradients, signals, error)
        return float(loss) if loss.ndim == 0 else loss

    def update(self) -> None:
        """Move the weights against `gradients`: Adam (Kingma and Ba 2015, Algorithm 1) or gradient descent."""
        rule, state = self.rule, self._state
        weights, gradient, steps = state["weights"], state["gradient"], state["steps"]
        first, second = state["first_moment"], state["second_moment"]
        steps += 1
        if rule.optimizer == "adam" and not rule.renewed and self._adam_in_machine_code():
            self._average()
            return
        if rule.weight_decay:
            gradient = gradient + rule.weight_decay * weights
        if rule.optimizer == "gradient_descent":
            weights -= state["rate"].astype(gradient.dtype) * gradient
        elif rule.renewed:  # Adam's first step: both moments are the gradient's own
            weights -= state["rate"].astype(gradient.dtype) * gradient / (np.abs(gradient) + ADAM_EPSILON)
        else:
            beta1, beta2 = rule.betas
            one, kept1, kept2 = (first.dtype.type(factor) for factor in (1, beta1, beta2))
            first *= kept1
            first += (one - kept1) * gradient
            second *= kept2
            second += (one - kept2) * gradient * gradient
            deviation = np.sqrt(second)
            deviation *= ((1 - beta2**steps) ** -0.5).astype(second.dtype)
            deviation += ADAM_EPSILON
            weights -= (state["rate"] / (1 - beta1**steps)).astype(first.dtype) * first / deviation
        self._average()

    def _adam_in_machine_code(self) -> bool:
        """Adam's step, where there is machine code for it; whether it was taken."""
        rule, state = self.rule, self._state
        vectors = [state[name] for name in ("weights", "gradient", "first_moment", "second_moment")]
        one = vectors[0].ndim == 1
        code = machine_code(COMPILED if one else f"{COMPILED}_of_each")
        if code is None or vectors[0].dtype != np.float32:
            return False
        beta1, beta2 = rule.betas
        if one:
            taken = float(state["steps"][0])
            rate, correction = float(state["rate"][0]) / (1 - beta1**taken), (1 - beta2**taken) ** -0.5
            code.adam(*vectors, rule.weight_decay, beta1, beta2, rate, correction, ADAM_EPSILON)
            return True
        steps = state["steps"][:, 0]
        rates = (state["rate"][:, 0] / (1 - beta1**steps)).astype(np.float32)
        corrections = ((1 - beta2**steps) ** -0.5).astype(np.float32)
        code.adam_of_each(*vectors, rule.weight_decay, beta1, beta2, rates, corrections, ADAM_EPSILON)
        return True

    def _average(self) -> None:
        rule, state = self.rule, self._state
        if rule.weight_averaging:
            weights, steps = state["weights"], state["steps"]
            share = 1 - np.minimum(rule.weight_averaging, (1 + steps) / (10 + steps))
            state["average"] += share.astype(weights.dtype) * (weights - state["average"])

    def follow(self, rule: LearningRule) -> None:
        """Take the next steps by another rule, of the same loss, optimizer and averaging."""
        rate = np.array(rule.learning_rate, dtype=np.float64).reshape(-1, 1)
        self._state["rate"][...] = rate if self._state["rate"].ndim > 1 else rate[0]
        for learner in (self, *(part for _, part in self._chunks)):
            learner.rule = rule

    def state_dict(self) -> dict[str, Any]:
        """Weights by the names they have in the torch network, and optimiser state."""
        kept = [name for name in self._state if name not in ("weights", "gradient", "rate")]
        return {
            "network": {name: weight.copy() for name, weight in self.weights.items()},
            **{name: self._state[name].copy() for name in kept},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of a learner with the same network returned.

        Raises ValueError, and changes nothing, for weights of other names or shapes.
        """
        saved = {name: np.asarray(weight) for name, weight in state["network"].items()}
        own, others = ({name: one.shape for name, one in each.items()} for each in (self.weights, saved))
        if own != others:
            raise ValueError(f"shapes must be {own}, got {others}")
        for name, weight in self.weights.items():
            weight[...] = saved[name]
        for name, array in self._state.items():
            if name not in ("weights", "gradient", "rate"):
                array[...] = np.asarray(state[name])

    def _typed(self, observations: NDArray[np.floating]) -> NDArray[np.floating]:
        return observations.astype(self._state["weights"].dtype, copy=False)

    def _views(self, vector: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        parts = np.split(vector, ends[:-1], axis=-1)
        return {
            name: part.reshape(*vector.shape[:-1], *shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
