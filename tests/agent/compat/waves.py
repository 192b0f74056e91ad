"""Weights that anyone can write down: those with which the published TensorFlow programs were run."""

import numpy as np
import torch
from torch import nn


def wave(shape, place):
    """Of TensorFlow's shape, inputs before outputs; `place` counts weights and biases alike."""
    entries = np.sin(1 + np.arange(np.prod(shape)) * (place + 1) * 0.7) / shape[0] ** 0.5
    return entries.reshape(shape).astype(np.float32)


def fill(model, bias, first=0):
    """Fill a model's layers, from number `first` on, with waves, and biases of `bias` times their number."""
    place = 0
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear | nn.Conv1d):
                axes = tuple(reversed(range(layer.weight.ndim)))
                weights = wave(layer.weight.permute(axes).shape, first + place)
                layer.weight.copy_(torch.from_numpy(weights).permute(axes))
                layer.bias.fill_(bias * (place + 1))
                place += 2
