"""Train a network: AdamW with one cycle, dropout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from salescast.container.algorithms.direct.network import (
    Dropped,
    Sizes,
    first_weights,
    loss_and_gradient,
    views,
)
from salescast.container.records import FloatArray
from salescast.container.weekly.batches import BATCH_CUTOFFS, BATCH_LEADS, batches
from salescast.container.weekly.inputs import Rules
from salescast.container.weekly.panel import Float32Array, Panel, Weeks

PEAK_RATE = 0.004
RISING_SHARE = 0.3
FIRST_RATE_SHARE = 1 / 25
WEIGHT_DECAY = 1e-4
LARGEST_NORM = 5.0
FIRST_MOMENTUM = 0.9
SECOND_MOMENTUM = 0.999
LEAST_DIVISOR = 1e-8


def rates(n_steps: int) -> FloatArray:
    """Learning rate of each step: up to the peak and down to nothing, along a cosine."""
    place = np.arange(n_steps) / max(n_steps - 1, 1)
    rising = PEAK_RATE * (
        FIRST_RATE_SHARE + (1 - FIRST_RATE_SHARE) * _half_wave(place / RISING_SHARE)
    )
    falling = PEAK_RATE * (1 - _half_wave((place - RISING_SHARE) / (1 - RISING_SHARE)))
    return np.where(place < RISING_SHARE, rising, falling)


def _half_wave(place: FloatArray) -> FloatArray:
    return np.asarray((1 - np.cos(math.pi * place)) / 2)


@dataclass
class AdamW:
    """Adam with decay of the weights apart from the gradient, on one flat array.

    Attributes:
        weights: What is trained, in place.
        first: Running mean of the gradient.
        second: Running mean of its square.
        n_steps: Steps that were made.
    """

    weights: Float32Array
    first: Float32Array
    second: Float32Array
    n_steps: int = 0

    def step(self, gradient: Float32Array, rate: float) -> None:
        """Change the weights; a gradient that is too long is cut."""
        self.n_steps += 1
        norm = math.sqrt(float(gradient @ gradient))
        if norm > LARGEST_NORM:
            gradient = gradient * np.float32(LARGEST_NORM / norm)
        self.first += (1 - FIRST_MOMENTUM) * (gradient - self.first)
        self.second += (1 - SECOND_MOMENTUM) * (gradient * gradient - self.second)
        first = self.first / (1 - FIRST_MOMENTUM**self.n_steps)
        root = np.sqrt(self.second / (1 - SECOND_MOMENTUM**self.n_steps))
        self.weights *= 1 - rate * WEIGHT_DECAY
        self.weights -= rate * first / (root + LEAST_DIVISOR)


def train(
    panel: Panel,
    groups: Weeks,
    rules: Rules,
    kind: str,
    sizes: Sizes,
    *,
    horizon: int,
    n_steps: int,
    dropout: float,
    generator: np.random.Generator,
) -> Float32Array:
    """Train a network and return its weights, flat.

    Args:
        panel: The series.
        groups: What they sold together.
        rules: What makes inputs.
        kind: Of the network.
        sizes: Of the network.
        horizon: Weeks ahead.
        n_steps: Batches.
        dropout: Share of cells left out of each layer.
        generator: Source of first weights, batches and left out cells.
    """
    flat = first_weights(sizes, generator)
    weights = views(flat, sizes)
    flat_gradient = np.zeros_like(flat)
    gradient = views(flat_gradient, sizes)
    optimizer = AdamW(flat, np.zeros_like(flat), np.zeros_like(flat))
    # Bytes are drawn much faster than numbers: a cell is left out where its byte is small.
    limit = min(round(256 * dropout), 255)
    seen = {name: np.zeros(len(weights[name]), dtype=np.bool_) for name in ("cutoff", "lead")}
    drawn = batches(panel, groups, rules, kind, horizon, n_steps, generator)
    for batch, rate in zip(drawn, rates(n_steps).tolist(), strict=True):
        shape = (2, BATCH_CUTOFFS, BATCH_LEADS, sizes.n_hidden)
        dropped = None
        if limit:
            drawn_bytes = np.frombuffer(generator.bytes(math.prod(shape)), np.uint8)
            left = (drawn_bytes >= limit).reshape(shape) * np.float32(256 / (256 - limit))
            dropped = Dropped(left[0], left[1])
        seen["lead"] |= (batch.inputs.lead != 0).any(axis=(0, 1))
        seen["cutoff"][: sizes.n_cutoff] |= (batch.inputs.cutoff != 0).any(axis=(0, 1))
        loss_and_gradient(weights, gradient, batch.inputs, batch.target, batch.weight, dropped)
        optimizer.step(flat_gradient, rate)
    seen["cutoff"][sizes.n_cutoff :] = True
    for name, is_seen in seen.items():
        # What was always 0 in training has taught its weights nothing.
        weights[name][~is_seen] = 0
    for position in range(len(sizes.cardinality)):
        for name in (f"embedding_{position}", f"linear_{position}"):
            # A code that training has not seen is like the mean of those that it has.
            weights[name][-1] = weights[name][:-1].mean(axis=0)
    return flat
