"""The network: its quantiles, and the gradient of their loss by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from salescast.container.weekly.inputs import SAME_WEEK, Inputs, Rules
from salescast.container.weekly.levels import LEVELS, MEDIAN

Floats = npt.NDArray[np.floating[Any]]
"""float32 at work; float64 where a test compares gradients."""

Weights = Mapping[str, Floats]

N_STEPS = len(LEVELS) - 1

EMBEDDING_SIZE = 10
LINEAR_SHARE = 0.1
SHIFT_SHARE = 0.2
WIDTH_BASE = 0.3
WIDTH_SHARE = 0.3
LARGEST_FACTOR = 5.0
"""Of the logarithm of what the candidates are multiplied by."""

_FIRST_SAME_WEEK = 2.0
_FIRST_STEP = -2.0

# How many steps down or up from the median each quantile is, and which.
_CUMULATED = np.zeros((N_STEPS, len(LEVELS)))
for _level in range(len(LEVELS)):
    if _level < MEDIAN:
        _CUMULATED[_level:MEDIAN, _level] = -1
    else:
        _CUMULATED[MEDIAN:_level, _level] = 1


@dataclass(frozen=True)
class Sizes:
    """How large a network is.

    Attributes:
        n_hidden: Cells of each of its two layers.
        n_candidates: Sales that the forecast may repeat.
        n_cutoff: Numbers of each cutoff.
        n_lead: Numbers of each week ahead.
        n_linear: Features of the linear term.
        cardinality: Codes at each position of cat; one more stands for all others.
    """

    n_hidden: int
    n_candidates: int
    n_cutoff: int
    n_lead: int
    n_linear: int
    cardinality: tuple[int, ...]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array of weights."""
        n_cutoff = self.n_cutoff + EMBEDDING_SIZE * len(self.cardinality)
        n_out = self.n_candidates + 2 + N_STEPS
        shapes: dict[str, tuple[int, ...]] = {
            "cutoff": (n_cutoff, self.n_hidden),
            "lead": (self.n_lead, self.n_hidden),
            "bias_1": (self.n_hidden,),
            "hidden": (self.n_hidden, self.n_hidden),
            "bias_2": (self.n_hidden,),
            "out": (self.n_hidden, n_out),
            "bias_3": (n_out,),
            "linear": (self.n_linear,),
        }
        for position, size in enumerate(self.cardinality):
            shapes[f"embedding_{position}"] = (size + 1, EMBEDDING_SIZE)
            shapes[f"linear_{position}"] = (size + 1, self.n_linear)
        return shapes


def sizes_of(rules: Rules, kind: str, n_hidden: int) -> Sizes:
    """How large a network of a kind is."""
    return Sizes(
        n_hidden=n_hidden,
        n_candidates=rules.n_candidates,
        n_cutoff=rules.n_cutoff,
        n_lead=rules.n_lead(kind),
        n_linear=rules.n_linear(kind),
        cardinality=rules.cardinality,
    )


def views(flat: Floats, sizes: Sizes) -> dict[str, Floats]:
    """The arrays of weights that lie one after another in a flat one."""
    found, begin = {}, 0
    for name, shape in sizes.shapes().items():
        end = begin + int(np.prod(shape))
        found[name] = flat[begin:end].reshape(shape)
        begin = end
    return found


def n_weights(sizes: Sizes) -> int:
    """Weights of a network."""
    return sum(int(np.prod(shape)) for shape in sizes.shapes().values())


def first_weights(sizes: Sizes, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Weights to begin with, flat."""
    flat = np.zeros(n_weights(sizes), dtype=np.float32)
    weights = views(flat, sizes)
    n_first = len(weights["cutoff"]) + len(weights["lead"])
    for name, n_in in (
        ("cutoff", n_first),
        ("lead", n_first),
        ("bias_1", n_first),
        ("hidden", sizes.n_hidden),
        ("bias_2", sizes.n_hidden),
        ("out", sizes.n_hidden),
    ):
        limit = n_in**-0.5
        weights[name][...] = generator.uniform(-limit, limit, size=weights[name].shape)
    for position in range(len(sizes.cardinality)):
        table = weights[f"embedding_{position}"]
        table[...] = generator.normal(size=table.shape)
    weights["bias_3"][SAME_WEEK] = _FIRST_SAME_WEEK
    weights["bias_3"][sizes.n_candidates + 2 :] = _FIRST_STEP
    return flat


@dataclass(frozen=True)
class Dropped:
    """What is left of the cells of both layers: 0, or what makes up for those that are."""

    first: Floats
    second: Floats


@dataclass(frozen=True)
class _Pass:
    """What the way back needs of the way there."""

    cutoff: Floats
    gate_1: Floats
    act_1: Floats
    used_1: Floats
    gate_2: Floats
    act_2: Floats
    used_2: Floats
    share: Floats
    weighted: Floats
    is_free: npt.NDArray[np.bool_]
    growth: Floats
    raw_steps: Floats
    cumulated: Floats
    width: Floats
    quantiles: Floats


def quantiles(weights: Weights, inputs: Inputs) -> Floats:
    """Quantiles of each week ahead in scales: cutoff by week by level, never crossing.

    Each cutoff is computed by itself, so that others beside it do not show in the last digit.
    """
    return _forward(weights, inputs, None, together=False).quantiles


def loss_and_gradient(
    weights: Weights,
    gradient: Weights,
    inputs: Inputs,
    target: Floats,
    weight: Floats,
    dropped: Dropped | None = None,
) -> float:
    """Mean pinball loss over observed weeks and levels, and its gradient.

    Args:
        weights: Of the network.
        gradient: Arrays of the same shapes that the gradient is written to.
        inputs: What the network sees.
        target: Cutoff by week ahead, in scales.
        weight: Cutoff by week ahead, what each counts; 0 where the target is missing.
        dropped: Cells that are left out, as cutoff by week by cell.
    """
    there = _forward(weights, inputs, dropped, together=True)
    share = weight / (max(float(weight.sum()), 1e-6) * len(LEVELS))
    levels = LEVELS.astype(there.quantiles.dtype)
    error = target[..., None] - there.quantiles
    slope = (error < 0) - levels
    slope *= share[..., None]
    loss = -float((slope * error).sum())
    _backward(weights, gradient, inputs, there, slope, dropped)
    return loss


def _product(left: Floats, right: Floats, together: bool) -> Floats:
    """A layer; `together` makes one product of all cutoffs, which is faster."""
    if not together:
        return np.asarray(left @ right)
    flat = left.reshape(-1, left.shape[-1]) @ right
    return np.asarray(flat.reshape(*left.shape[:-1], right.shape[-1]))


def _sigmoid(values: Floats) -> Floats:
    half: Floats = np.tanh(values * 0.5)
    half *= 0.5
    half += 0.5
    return half


def _forward(weights: Weights, inputs: Inputs, dropped: Dropped | None, together: bool) -> _Pass:
    n_positions = inputs.codes.shape[1]
    cutoff = np.concatenate(
        [
            inputs.cutoff,
            *(
                weights[f"embedding_{position}"][inputs.codes[:, position]][:, None]
                for position in range(n_positions)
            ),
        ],
        axis=-1,
    )
    sum_1 = _product(inputs.lead, weights["lead"], together)
    sum_1 += _product(cutoff, weights["cutoff"], together) + weights["bias_1"]
    gate_1 = _sigmoid(sum_1)
    act_1 = np.multiply(sum_1, gate_1, out=sum_1)
    used_1 = act_1 if dropped is None else act_1 * dropped.first
    sum_2 = _product(used_1, weights["hidden"], together)
    sum_2 += weights["bias_2"]
    gate_2 = _sigmoid(sum_2)
    act_2 = np.multiply(sum_2, gate_2, out=sum_2)
    used_2 = act_2 if dropped is None else act_2 * dropped.second
    out = _product(used_2, weights["out"], together)
    out += weights["bias_3"]

    n_candidates = inputs.candidates.shape[-1]
    share = out[..., :n_candidates]
    share = np.exp(share - share.max(axis=-1, keepdims=True))
    share /= share.sum(axis=-1, keepdims=True)
    weighted = (share * inputs.candidates).sum(axis=-1)
    log_growth = out[..., n_candidates].copy()
    if inputs.linear.shape[-1]:
        slopes = weights["linear"] + sum(
            weights[f"linear_{position}"][inputs.codes[:, position]]
            for position in range(n_positions)
        )
        slopes = np.broadcast_to(slopes, (len(inputs.codes), inputs.linear.shape[-1]))
        log_growth += LINEAR_SHARE * (inputs.linear @ slopes[..., None])[..., 0]
    is_free = np.abs(log_growth) < LARGEST_FACTOR
    growth = np.exp(np.clip(log_growth, -LARGEST_FACTOR, LARGEST_FACTOR))
    median = growth * weighted + SHIFT_SHARE * out[..., n_candidates + 1]
    raw_steps = out[..., n_candidates + 2 :]
    steps = np.logaddexp(0, raw_steps)
    cumulated = steps @ _CUMULATED.astype(steps.dtype)
    width = WIDTH_BASE + WIDTH_SHARE * np.abs(weighted)
    return _Pass(
        cutoff=cutoff,
        gate_1=gate_1,
        act_1=act_1,
        used_1=used_1,
        gate_2=gate_2,
        act_2=act_2,
        used_2=used_2,
        share=share,
        weighted=weighted,
        is_free=is_free,
        growth=growth,
        raw_steps=raw_steps,
        cumulated=cumulated,
        width=width,
        quantiles=median[..., None] + width[..., None] * cumulated,
    )


def _backward(
    weights: Weights,
    gradient: Weights,
    inputs: Inputs,
    there: _Pass,
    slope: Floats,
    dropped: Dropped | None,
) -> None:
    """Write the gradient, `slope` being that of the quantiles."""
    of_median = slope.sum(axis=-1)
    of_width = (slope * there.cumulated).sum(axis=-1)
    of_steps = (slope * there.width[..., None]) @ _CUMULATED.T.astype(slope.dtype)
    of_growth = of_median * there.growth * there.weighted * there.is_free
    of_weighted = of_median * there.growth + of_width * WIDTH_SHARE * np.sign(there.weighted)
    n_candidates = inputs.candidates.shape[-1]
    of_out = np.empty((*slope.shape[:-1], n_candidates + 2 + N_STEPS), dtype=slope.dtype)
    of_out[..., :n_candidates] = (
        there.share * of_weighted[..., None] * (inputs.candidates - there.weighted[..., None])
    )
    of_out[..., n_candidates] = of_growth
    of_out[..., n_candidates + 1] = SHIFT_SHARE * of_median
    of_out[..., n_candidates + 2 :] = of_steps * _sigmoid(there.raw_steps)

    of_2 = _through_layer(gradient, "out", "bias_3", there.used_2, of_out, weights["out"])
    if dropped is not None:
        of_2 *= dropped.second
    of_2 *= _slope_of_silu(there.gate_2, there.act_2)
    of_1 = _through_layer(gradient, "hidden", "bias_2", there.used_1, of_2, weights["hidden"])
    if dropped is not None:
        of_1 *= dropped.first
    of_1 *= _slope_of_silu(there.gate_1, there.act_1)
    flat_1 = of_1.reshape(-1, of_1.shape[-1])
    np.matmul(inputs.lead.reshape(-1, inputs.lead.shape[-1]).T, flat_1, out=gradient["lead"])
    of_cutoff = of_1.sum(axis=1)
    gradient["bias_1"][...] = of_cutoff.sum(axis=0)
    np.matmul(there.cutoff[:, 0].T, of_cutoff, out=gradient["cutoff"])

    slopes = LINEAR_SHARE * (of_growth[:, None] @ inputs.linear)[:, 0]
    gradient["linear"][...] = slopes.sum(axis=0)
    for position in range(inputs.codes.shape[1]):
        codes = inputs.codes[:, position]
        begin = inputs.cutoff.shape[-1] + EMBEDDING_SIZE * position
        rows = weights["cutoff"][begin : begin + EMBEDDING_SIZE]
        for name, values in (("embedding", of_cutoff @ rows.T), ("linear", slopes)):
            table = gradient[f"{name}_{position}"]
            table[...] = 0
            np.add.at(table, codes, values)


def _through_layer(
    gradient: Weights, name: str, bias: str, used: Floats, of_sum: Floats, matrix: Floats
) -> Floats:
    """Write the gradient of a layer's weights; returns that of what went into it."""
    flat = of_sum.reshape(-1, of_sum.shape[-1])
    np.matmul(used.reshape(-1, used.shape[-1]).T, flat, out=gradient[name])
    gradient[bias][...] = flat.sum(axis=0)
    return np.asarray((flat @ matrix.T).reshape(used.shape))


def _slope_of_silu(gate: Floats, act: Floats) -> Floats:
    slope = 1 - gate
    slope *= act
    slope += gate
    return slope
