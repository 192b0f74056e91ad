"""What a network of a user's own is, where it is linear layers one after another: read from what it calls.

A copy of the module is run on a few observations while every function of torch that it calls is watched. Its
passes can then be written out (`agent.learners.backpropagation`), and are held against the module's own.
"""

from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .backpropagation import FullyConnectedPasses, Layer

READ = "linear layers one after another, with ReLU, LeakyReLU, Sigmoid or Tanh between them"
_ACTIVATIONS = {
    functional.relu: "relu",
    torch.relu: "relu",
    Tensor.relu: "relu",
    functional.leaky_relu: "leaky_relu",
    torch.sigmoid: "sigmoid",
    Tensor.sigmoid: "sigmoid",
    torch.tanh: "tanh",
    Tensor.tanh: "tanh",
}
_SHAPES = {
    *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.unflatten),
    *(Tensor.flatten, Tensor.reshape, Tensor.view, Tensor.squeeze, Tensor.unsqueeze, Tensor.unflatten),
    *(Tensor.__getitem__, Tensor.contiguous, Tensor.float, Tensor.to),
}
"""They leave the order of a tensor's entries as it is, and where none is left out, all."""
_SIZES: set[Any] = {
    *(Tensor.size, Tensor.dim, Tensor.numel, Tensor.__len__),
    *(getattr(Tensor, name).__get__ for name in ("shape", "ndim", "dtype", "device")),
}
_USES = [(training, batch) for training in (False, True) for batch in (1, 3)]
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class UnreadableError(Exception):
    """Why a network's passes cannot be written out."""


class _Watch(TorchFunctionMode):
    """Follows one signal from function to function.

    Attributes:
        layers: that it has passed.
        problem: the first thing that is not read; None where there was none.
    """

    def __init__(self, names: dict[int, str], observations: Tensor) -> None:
        super().__init__()
        self.layers: list[Layer] = []
        self.problem: str | None = None
        self._names = names
        self._signal = observations

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if function not in _SIZES and self.problem is None:
            self.problem = self._follow(function, result, args, kwargs or {})
        return result

    def _follow(self, function: Any, result: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> str | None:
        name = f"it calls {getattr(function, '__name__', function)}"
        entry, *others = args or (None,)
        if entry is not self._signal or not isinstance(result, Tensor):
            return name
        if function is functional.linear:
            weight, bias = (*others, None)[:2] if others else (None, None)
            bias = kwargs.get("bias", bias)
            weight = kwargs.get("weight", weight)
            if id(weight) not in self._names or (bias is not None and id(bias) not in self._names):
                return "it has a linear layer whose weights are not its parameters"
            if entry[:1].numel() != entry.shape[-1]:
                return "it has a linear layer that does not see all of an observation"
            self.layers.append(Layer(self._names[id(weight)], None if bias is None else self._names[id(bias)]))
        elif function in _ACTIVATIONS:
            if not self.layers or self.layers[-1].activation != "none":
                return f"{name} not after a linear layer"
            slope = 0.0
            if _ACTIVATIONS[function] == "leaky_relu":
                slope = float(kwargs.get("negative_slope", (*others, 0.01)[0]))
                if not 0 <= slope <= 1:
                    return f"{name} with a slope of {slope}"
            self.layers[-1] = self.layers[-1]._replace(activation=_ACTIVATIONS[function], slope=slope)
        elif function not in _SHAPES or result.numel() != entry.numel():
            return name
        self._signal = result
        return None

    def end(self, logits: Any) -> list[Layer]:
        """The layers of a network that has returned `logits`."""
        if self.problem is None and logits is not self._signal:
            self.problem = "it does not return the last signal"
        if self.problem is None and self.layers and self.layers[-1].activation != "none":
            self.problem = "its logits are what comes out of an activation"
        used = [name for layer in self.layers for name in (layer.weight, layer.bias) if name is not None]
        if self.problem is None and sorted(used) != sorted(self._names.values()):
            self.problem = "it does not use each of its parameters once"
        if self.problem is not None:
            raise UnreadableError(self.problem)
        return self.layers


def read(network: nn.Module, num_users: int, num_features: int, output: tuple[int, ...]) -> FullyConnectedPasses:
    """The passes of a network from observations (B, N, F) to logits ``(B, *output)``; it is left as it was.

    What is read are linear layers one after another whose parameters, in single precision and on the CPU, are all
    that the network has: no buffers, no hooks, none of them shared or frozen; at least one, and with activations
    between them that are in `ACTIVATIONS`. Evaluated or trained, the network must do the same.

    Raises:
        UnreadableError: for any other, saying why.
    """
    _check_parts(network)
    try:
        with torch.random.fork_rng(devices=[]):
            return _read(deepcopy(network), num_users, num_features, output)
    except UnreadableError:
        raise
    except Exception as error:  # whatever a user's module raises, which another backend may be able to train
        raise UnreadableError(f"it raised {error!r}") from error


def _read(network: nn.Module, num_users: int, num_features: int, output: tuple[int, ...]) -> FullyConnectedPasses:
    rng, found = np.random.default_rng(0), []
    for weight in network.parameters():  # others than its own, which may be 0
        drawn = rng.normal(size=weight.shape) / np.sqrt(weight.shape[-1])
        weight.data = torch.from_numpy(drawn.astype(np.float32))
    names = {id(weight): name for name, weight in network.named_parameters()}
    held = _held(network)
    for training, batch in _USES:
        network.train(training)
        observations = torch.from_numpy(rng.normal(size=(batch, num_users, num_features)).astype(np.float32))
        watch = _Watch(names, observations)
        with torch.inference_mode(not training), torch.set_grad_enabled(training), watch:
            logits = network(observations)
        found.append(watch.end(logits))
    if any(layers != found[0] for layers in found):
        raise UnreadableError("it does not always call the same")
    if held != _held(network):
        raise UnreadableError("it changes as it is called")
    passes = FullyConnectedPasses(network, found[0], output)
    _compare(network, passes, observations, logits, rng)
    return passes


def _check_parts(network: nn.Module) -> None:
    if any(getattr(part, hooks) for part in network.modules() for hooks in _HOOKS):
        raise UnreadableError("it has hooks")
    if any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in network.modules()):
        raise UnreadableError("it is compiled")
    if getattr(network, "any_size", False):
        raise UnreadableError("it takes any number of users")
    if next(network.buffers(), None) is not None:
        raise UnreadableError("it has buffers")
    weights = list(network.parameters())
    for weight in weights:
        on_cpu = type(weight) is nn.Parameter and weight.dtype is torch.float32 and weight.device.type == "cpu"
        if not on_cpu or not weight.requires_grad:
            raise UnreadableError("not all of its parameters are trained, in single precision and on the CPU")
        if weight._backward_hooks or getattr(weight, "_post_accumulate_grad_hooks", None):
            raise UnreadableError("it has hooks")
    if len({weight.data_ptr() for weight in weights}) < len(weights):
        raise UnreadableError("its parameters share memory")


def _held(network: nn.Module) -> list[Any]:
    """What the parts of a network hold, by identity, and what is in their containers."""
    return [
        {name: _identities(value) for name, value in vars(part).items() if name != "training"}
        for part in network.modules()
    ]


def _identities(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _identities(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | deque):
        return [_identities(entry) for entry in value]
    return value if isinstance(value, bool | int | float | str) else id(value)


def _compare(
    network: nn.Module,
    passes: FullyConnectedPasses,
    observations: Tensor,
    logits: Tensor,
    rng: np.random.Generator,
) -> None:
    """Hold the passes, forward and backward, against the logits (B, *output) that a network gave, and autograd."""
    weights = {name: weight.detach().numpy() for name, weight in network.named_parameters()}
    gradients = {name: np.empty_like(weight) for name, weight in weights.items()}
    own, signals = passes.forward(weights, observations.numpy())
    if own.shape != logits.shape:
        raise UnreadableError(f"its logits have shape {tuple(logits.shape)}, not {own.shape}")
    error = rng.normal(size=own.shape).astype(np.float32)
    slopes = torch.autograd.grad(logits, list(network.parameters()), torch.from_numpy(error), allow_unused=True)
    passes.backward(weights, gradients, signals, error)
    pairs = [(own, logits.detach()), *zip(gradients.values(), slopes, strict=True)]
    for written_out, reference in pairs:
        if reference is None or not np.allclose(
            written_out, reference, rtol=1e-5, atol=1e-5 * float(reference.abs().max())
        ):
            raise UnreadableError("its passes, written out, give something else")
