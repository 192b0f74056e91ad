"""A learned value of decisions, by which more proposals are ranked than the critic is asked about.

Where a critic takes milliseconds, a model of it takes microseconds: it learns from all decisions that were valued,
finds good ones by descent from the network's proposals, and the critic values the few that it ranks highest. (Not
in the paper; on surrogates of an expensive objective: Jones, Schonlau and Welch, J. Global Optimization 1998.)
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import generators, seeds
from .arrays import Array
from .decisions.limits import Limited
from .learners.rule import ADAM_EPSILON

HIDDEN, SUMS = 32, 8
"""Units of each layer, and sums over the users of a choice."""
LEARNING_RATE, BETAS = 6e-3, (0.9, 0.999)
BATCH = 64
"""Frames in a minibatch, with all decisions that were valued in them; one minibatch a frame."""
STARTS, MOST_STEPS = 2, 24
"""Descents on the learned value in a frame, and steps of each at most."""
FIRST = 16
"""Frames before anything is learned."""

Signals = dict[str, NDArray[np.floating]]


class ValueModel:
    """What a decision is worth: a function of sums over the users that take the same choice.

    With f_u the observation of user u and x_u its choice,

        value = sum_c g_c(sum_{u: x_u = c} phi_c(f_u)) + sum_u psi_{x_u}(f_u) + constant,

    phi and psi being the outputs of one layer of ReLU that all users share, but for an offset of each user, and
    g_c a layer of ReLU. (Sums over a set: Zaheer et al., Deep Sets, 2017.)

    Args:
        num_users: N; None for any number, without the users' offsets.
        num_features: F.
        num_choices: C.
        rng: of the first weights.
        dtype: float64 to check gradients.
    """

    def __init__(
        self,
        num_users: int | None,
        num_features: int,
        num_choices: int,
        rng: np.random.Generator,
        dtype: str = "float32",
    ) -> None:
        self._num_choices = num_choices
        outputs = num_choices * (SUMS + 1)
        self._shapes = {
            "features": (num_features, HIDDEN),
            "offset": (HIDDEN,),
            "users": (num_users or 0, HIDDEN),
            "embedding": (HIDDEN, outputs),
            "embedding_offset": (outputs,),
            "sums": (num_choices, SUMS, HIDDEN),
            "sums_offset": (num_choices, 1, HIDDEN),
            "of_choice": (num_choices, HIDDEN, 1),
            "constant": (1,),
        }
        size = sum(int(np.prod(shape)) for shape in self._shapes.values())
        self._vector, self._gradient, self._first, self._second = np.zeros((4, size), dtype=dtype)
        self.weights, self.gradients = self._views(self._vector), self._views(self._gradient)
        for name, fan_in in (
            ("features", num_features),
            ("embedding", HIDDEN),
            ("sums", SUMS),
            ("of_choice", HIDDEN),
        ):
            bound = 1 / np.sqrt(fan_in)
            self.weights[name][...] = rng.uniform(-bound, bound, self.weights[name].shape)
        self._steps = 0

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("weights", "gradients")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """A copied view would be an array of its own, which nothing trains."""
        vars(self).update(state)
        self.weights, self.gradients = self._views(self._vector), self._views(self._gradient)

    def _views(self, vector: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        parts = zip(self._shapes.items(), np.split(vector, ends[:-1]), strict=True)
        return {name: part.reshape(shape) for (name, shape), part in parts}

    def embed(self, observations: Array) -> Signals:
        """What the users of observations (B, N, F) add to each choice: `embedded` (C, B, N, S + 1)."""
        w = self.weights
        hidden = observations.astype(self._vector.dtype, copy=False) @ w["features"] + w["offset"]
        if len(w["users"]):
            hidden += w["users"]
        np.maximum(hidden, 0, out=hidden)
        outputs = hidden @ w["embedding"] + w["embedding_offset"]
        embedded = outputs.reshape(*outputs.shape[:-1], self._num_choices, SUMS + 1)
        return {"hidden": hidden, "embedded": np.ascontiguousarray(np.moveaxis(embedded, 2, 0))}

    def value(self, signals: Signals, decisions: NDArray[Any]) -> NDArray[np.floating]:
        """Values (B, K) of decisions (B, K, N), from what `embed` returned; keeps in it what `backward` needs."""
        w = self.weights
        choices = np.arange(self._num_choices)[:, None, None, None]
        signals["on"] = on = (decisions == choices).astype(self._vector.dtype)
        signals["sums"] = sums = on @ signals["embedded"]
        flat = sums[..., :SUMS].reshape(self._num_choices, -1, SUMS)
        signals["units"] = units = np.maximum(flat @ w["sums"] + w["sums_offset"], 0)
        of_choices = (units @ w["of_choice"]).sum(0)[:, 0].reshape(decisions.shape[:-1])
        values: NDArray[np.floating] = of_choices + sums[..., SUMS].sum(0) + w["constant"]
        return values

    def backward(self, observations: Array, signals: Signals, error: NDArray[np.floating]) -> None:
        """Fill `gradients` for the loss's derivative (B, K) by the values that `value` returned."""
        w, to = self.weights, self.gradients
        flat_error = error.reshape(-1, 1)
        to["constant"][...] = error.sum()
        units, sums, on = signals["units"], signals["sums"], signals["on"]
        to["of_choice"][...] = units.swapaxes(1, 2) @ flat_error
        back = flat_error @ w["of_choice"].swapaxes(1, 2) * (units > 0)
        to["sums_offset"][...] = back.sum(1, keepdims=True)
        to["sums"][...] = sums[..., :SUMS].reshape(len(sums), -1, SUMS).swapaxes(1, 2) @ back
        into = np.empty_like(sums)
        into[..., :SUMS] = (back @ w["sums"].swapaxes(1, 2)).reshape(*sums.shape[:-1], SUMS)
        into[..., SUMS] = error
        outputs = np.moveaxis(on.swapaxes(2, 3) @ into, 0, 2).reshape(-1, len(w["embedding_offset"]))
        hidden = signals["hidden"].reshape(-1, HIDDEN)
        to["embedding_offset"][...] = outputs.sum(0)
        to["embedding"][...] = hidden.T @ outputs
        back = outputs @ w["embedding"].T * (hidden > 0)
        to["offset"][...] = back.sum(0)
        if len(w["users"]):
            to["users"][...] = back.reshape(*observations.shape[:-1], HIDDEN).sum(0)
        seen = observations.astype(self._vector.dtype, copy=False)
        to["features"][...] = seen.reshape(-1, seen.shape[-1]).T @ back

    def update(self) -> None:
        """A step of Adam against `gradients`."""
        self._steps += 1
        one, other = BETAS
        self._first += (1 - one) * (self._gradient - self._first)
        self._second += (1 - other) * (self._gradient**2 - self._second)
        deviation = np.sqrt(self._second / (1 - other**self._steps)) + ADAM_EPSILON
        self._vector -= LEARNING_RATE / (1 - one**self._steps) * self._first / deviation

    def rescale(self, scale: float, shift: float) -> None:
        """From now on be `scale` times the value, and `shift` (van Hasselt et al., Pop-Art, 2016).

        The optimiser's moments become those of the gradients that this gives: of the squared error, scale^2 times
        as large, by weights of which the last ones are `scale` times as large.
        """
        slopes = np.full_like(self._vector, scale**2)
        for weights, factor in ((self.weights, scale), (self._views(slopes), 1 / scale)):
            weights["of_choice"] *= factor
            weights["constant"] *= factor
            for name in ("embedding", "embedding_offset"):
                weights[name].reshape(-1, self._num_choices, SUMS + 1)[..., SUMS] *= factor
        self.weights["constant"] += shift
        self._first *= slopes
        self._second *= slopes**2

    def state_dict(self) -> dict[str, Any]:
        """Weights and moments."""
        vectors = {"weights": self._vector, "first_moment": self._first, "second_moment": self._second}
        return {"steps": self._steps, **{name: vector.copy() for name, vector in vectors.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._steps = int(state["steps"])
        self._vector[...] = np.asarray(state["weights"])
        self._first[...] = np.asarray(state["first_moment"])
        self._second[...] = np.asarray(state["second_moment"])


class LearnedValue:
    """Ranks proposals by a model of the critic, which learns from what the critic said in the last frames.

    Args:
        num_users: N of the first frames; where it changes, past frames are forgotten.
        num_features: F.
        num_choices: C.
        frames: that are remembered.
        most: decisions that are valued in a frame.
        any_size: whether N may change.
        seed: of first weights, minibatches and random proposals.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int,
        num_choices: int,
        *,
        frames: int,
        most: int,
        any_size: bool,
        seed: int,
    ) -> None:
        self._num_choices = num_choices
        self._rng = np.random.default_rng(seeds.stream(seed, seeds.VALUES))
        self._model = ValueModel(None if any_size else num_users, num_features, num_choices, self._rng)
        self._mean, self._deviation, self._least = 0.0, 1.0, -3.0
        self._frames = 0
        self._memory = _empty(frames, most, num_users, num_features)

    def ranked(
        self, observation: Array, candidates: NDArray[np.int64], k: int, limits: Limited | None
    ) -> NDArray[np.int64]:
        """`k` decisions (k, N), or fewer: the highest by the learned value first, and last a change of the first.

        Those ranked are the candidates (K, N), and what descents on the learned value meet that start from the
        highest of them. The change is random, of one user or two, so that the model hears of what it does not
        propose.

        Args:
            observation: (N, F), as the network sees it.
            candidates: of the quantizer.
            k: decisions that the critic will value.
            limits: that decisions keep.
        """
        learned = min(self._frames, len(self._memory["values"])) >= FIRST
        best = self._descents(observation, candidates, k, limits) if learned else candidates[:k]
        if k == 1:
            return best
        other = best[0].copy()
        users = self._rng.integers(len(other), size=1 + self._rng.integers(2))
        other[users] = self._rng.integers(self._num_choices, size=len(users))
        if limits is not None and not limits.feasible(other):
            return best
        return np.concatenate([best[: k - 1], other[None]])

    def _descents(
        self, observation: Array, candidates: NDArray[np.int64], k: int, limits: Limited | None
    ) -> NDArray[np.int64]:
        signals = self._model.embed(observation[None])

        def value(decisions: NDArray[np.int64]) -> NDArray[np.floating]:
            return self._model.value(signals, decisions[None])[0]

        met, values = [candidates], [value(candidates)]
        for start in np.argsort(-values[0], kind="stable")[:STARTS]:
            decision, highest = candidates[start], values[0][start]
            for _ in range(MOST_STEPS):
                near = neighbours(decision, self._num_choices)
                if limits is not None:
                    near = near[limits.feasible(near)]
                if not len(near):
                    break
                met.append(near)
                values.append(value(near))
                best = int(values[-1].argmax())
                if values[-1][best] <= highest:
                    break
                decision, highest = near[best], values[-1][best]
        every, of_every = np.concatenate(met), np.concatenate(values)
        order = np.argsort(-of_every, kind="stable")[: k * (STARTS * MOST_STEPS + 1)]
        _, first = np.unique(every[order], axis=0, return_index=True)
        return every[order[np.sort(first)[:k]]]

    def learn(
        self,
        observation: Array,
        decisions: NDArray[np.int64],
        values: NDArray[np.float64],
        seen: Callable[[Array], Array],
    ) -> None:
        """Take in values (L,) of decisions (L, N) in a frame of `observation` (N, F), and learn once.

        `seen` maps observations (B, N, F) to what networks see of them.
        """
        memory = self._memory
        size, most = memory["values"].shape
        if memory["observations"].shape[1] != len(observation):
            self._frames = 0
            self._memory = memory = _empty(size, most, *observation.shape)
        count = min(len(values), most)
        place = self._frames % size
        memory["observations"][place] = observation
        memory["decisions"][place, :count] = decisions[:count]
        memory["values"][place] = np.nan
        memory["values"][place, :count] = values[:count]
        self._frames += 1
        known = min(self._frames, size)
        if known < FIRST:
            return
        if self._frames & (self._frames - 1) == 0:
            self._scale(memory["values"][:known])
        places = self._rng.integers(known, size=BATCH)
        targets = (memory["values"][places] - self._mean) / self._deviation
        targets = np.where(targets == -np.inf, self._least, targets)
        observations = seen(memory["observations"][places])
        signals = self._model.embed(observations)
        error = self._model.value(signals, memory["decisions"][places]) - targets
        error = np.where(np.isnan(targets), 0.0, error)
        self._model.backward(observations, signals, (2 * error / np.isfinite(targets).sum()).astype(np.float32))
        self._model.update()

    def _scale(self, values: NDArray[np.float64]) -> None:
        """At frames 16, 32, 64, ...: learn values with mean 0 and deviation 1, -inf as one less than the least."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            return
        mean, deviation = float(finite.mean()), float(finite.std()) or 1.0
        self._model.rescale(self._deviation / deviation, (self._mean - mean) / deviation)
        self._mean, self._deviation = mean, deviation
        self._least = float((finite.min() - mean) / deviation) - 1

    def state_dict(self) -> dict[str, Any]:
        """Model, memory and random numbers."""
        return {
            "model": self._model.state_dict(),
            "memory": {name: array.copy() for name, array in self._memory.items()},
            "scale": [self._mean, self._deviation, self._least],
            "frames": self._frames,
            "rng": generators.save(self._rng),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._model.load_state_dict(state["model"])
        self._memory = {name: np.asarray(array).copy() for name, array in state["memory"].items()}
        self._mean, self._deviation, self._least = state["scale"]
        self._frames = int(state["frames"])
        generators.restore(self._rng, state["rng"])


def _empty(frames: int, most: int, num_users: int, num_features: int) -> dict[str, NDArray[Any]]:
    """Room for frames with so many decisions each."""
    return {
        "observations": np.zeros((frames, num_users, num_features)),
        "decisions": np.zeros((frames, most, num_users), dtype=np.int16),
        "values": np.full((frames, most), np.nan),
    }


def neighbours(decision: NDArray[np.int64], num_choices: int) -> NDArray[np.int64]:
    """Decisions (L, N) in which one user does something else, or two exchange what they do."""
    count = len(decision)
    users = np.repeat(np.arange(count), num_choices - 1)
    single = np.tile(decision, (len(users), 1))
    shift = np.tile(np.arange(1, num_choices), count)
    single[np.arange(len(users)), users] = (decision[users] + shift) % num_choices
    one, other = np.triu_indices(count, 1)
    differ = decision[one] != decision[other]
    one, other = one[differ], other[differ]
    exchanged = np.tile(decision, (len(one), 1))
    rows = np.arange(len(one))
    exchanged[rows, one], exchanged[rows, other] = decision[other], decision[one]
    return np.concatenate([single, exchanged])
