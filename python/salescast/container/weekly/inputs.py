"""What a model is shown of a series: numbers of its cutoff, and of each week ahead of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from salescast.container.records import FloatArray
from salescast.container.weekly.groups import group_rows
from salescast.container.weekly.panel import (
    BEFORE,
    OBSERVED,
    PAIRED,
    PAIRED_BEFORE,
    PAIRED_SALES,
    SALES,
    SEASON,
    SQUARES,
    TINY,
    Float32Array,
    IntArray,
    Panel,
    Weeks,
)

SPANS = np.array([4, 8, 13, 26, 52, 104])
"""Weeks up to the cutoff over which the level, growth and gaps are told."""

_FOUR, _QUARTER, _YEAR = 0, 2, 4
_LEVELS, _GROWTHS, _GAPS = slice(0, 5), slice(0, 4), [0, 2, 4, 5]

GROUP_SPANS = np.array([4, 13, 26])
"""Weeks over which the growth of groups is told."""

OWN_LAGS = np.array([0, 1, 2, 3, 4, 5, 7, 11, 12, 25, 38, 49, 50, 51, 52, 53])
N_OWN = 5 + 2 * 4 + 4 + 3 + len(OWN_LAGS)

LAST_YEAR = np.array([2, 1, 0, -1, -2])
"""Weeks around the one a year before, the later ones first."""

YEAR_BEFORE = np.array([1, 0, -1])
SAME_WEEK = 2
"""The candidate that is the same week of last year."""

_YEARS_BACK = np.concatenate([LAST_YEAR, YEAR_BEFORE - SEASON])

LARGEST_LOG = 2.0
LARGEST_INPUT = 10.0
LARGEST_CANDIDATE = 60.0
"""In scales: what one week can hold of a year's sales, and some more."""

LARGEST_PROFILE = 20.0
LEAST_PROFILE_WEEKS = 4
"""Observed weeks that tell the level which a group's week is held against."""

LARGEST_GROWTH = 2.0
"""Of a group within a year."""

GATED, RAW = "gated", "raw"
KINDS = (GATED, RAW)


@dataclass(frozen=True)
class Rules:
    """What was measured on the training records and makes inputs of a series.

    Attributes:
        cardinality: Codes known at each position of cat.
        own: For each feature, whether series of one week differ in it.
        moves: For each feature, whether it was seen to differ from a year before.
        log_mean: Mean of the logarithms of the series' scales.
        log_deviation: Their standard deviation.
        longest_lead: Weeks ahead that training has seen; further ones count as this.
        two_years: Whether the network is told which weeks two years back are known.
    """

    cardinality: tuple[int, ...]
    own: tuple[bool, ...]
    moves: tuple[bool, ...]
    log_mean: float
    log_deviation: float
    longest_lead: int
    two_years: bool

    @property
    def n_groups(self) -> int:
        """Groups that a series is in: all series, and those of its code at each position."""
        return 1 + len(self.cardinality)

    @property
    def n_candidates(self) -> int:
        """Sales that the forecast may repeat."""
        return len(_YEARS_BACK) + 3 + self.n_groups

    @property
    def n_cutoff(self) -> int:
        """Numbers of each cutoff."""
        return N_OWN + self.n_groups * len(GROUP_SPANS)

    def n_lead(self, kind: str) -> int:
        """Numbers of each week ahead."""
        n_features = len(self.own)
        shown = n_features + sum(self.own) if kind == GATED else 2 * n_features
        n_known = len(_YEARS_BACK) if self.two_years else len(LAST_YEAR)
        return shown + self.n_candidates + n_known + 3

    def n_linear(self, kind: str) -> int:
        """Features of the linear term."""
        return len(self.own) if kind == GATED else 0


@dataclass(frozen=True)
class Inputs:
    """What a network sees of some cutoffs; each has the same number of weeks ahead.

    Attributes:
        scale: Of each cutoff, the sales that all else is in units of.
        cutoff: Cutoff by 1 by number.
        lead: Cutoff by week ahead by number.
        candidates: Cutoff by week ahead by candidate, in scales.
        linear: Cutoff by week ahead by feature; none but for gated networks.
        codes: Cutoff by category position.
    """

    scale: FloatArray
    cutoff: Float32Array
    lead: Float32Array
    candidates: Float32Array
    linear: Float32Array
    codes: IntArray


def make_inputs(
    panel: Panel,
    groups: Weeks,
    series: IntArray,
    cutoff: IntArray,
    leads: IntArray,
    rules: Rules,
    kind: str,
) -> Inputs:
    """What a network sees of some series at some cutoffs.

    Nothing of a week after its cutoff is looked at but features.

    Args:
        panel: The series.
        groups: What they sold together.
        series: Row of each.
        cutoff: Last week that is known of each.
        leads: Weeks ahead, from 1 on: cutoff by week.
        rules: What was measured in training.
        kind: GATED or RAW.
    """
    scale = panel.scales(series, cutoff)
    totals = panel.weeks.totals(series, cutoff, SPANS)
    levels = totals[..., SALES] / np.maximum(totals[..., OBSERVED], 1) / scale[:, None]
    quarter = levels[:, _QUARTER]
    # The newest year before the week ahead that has been seen.
    years = -(-leads // SEASON)
    same_week = cutoff[:, None] + leads - SEASON * years
    own, is_known = _own_candidates(panel, series, cutoff, same_week, scale, quarter)
    codes = panel.codes[series]
    rows = group_rows(codes, rules.cardinality, groups)
    shift = panel.weeks.origin - groups.origin
    profile = _profile(groups, rows, cutoff + shift, same_week + shift, SEASON * years)
    profile *= quarter[:, None, None].astype(np.float32)
    month = np.where(totals[:, _FOUR, OBSERVED] > 0, levels[:, _FOUR], quarter)
    end = panel.weeks.sales_at(series, cutoff) / scale
    recent = np.stack([quarter, month, np.where(np.isnan(end), month, end)], axis=-1)
    candidates = np.concatenate(
        [
            own,
            np.broadcast_to(recent[:, None], (*leads.shape, 3)),
            np.where(np.isnan(profile), own[..., [SAME_WEEK]], profile),
        ],
        axis=-1,
        dtype=np.float32,
    )
    np.clip(candidates, -LARGEST_CANDIDATE, LARGEST_CANDIDATE, out=candidates)
    shown, linear = _shown_features(
        panel, series, cutoff, leads, same_week, is_known[..., SAME_WEEK], rules, kind
    )
    seen = np.minimum(leads, rules.longest_lead)[..., None].astype(np.float32)
    lead = np.concatenate(
        [
            shown,
            np.clip(candidates, -LARGEST_INPUT, LARGEST_INPUT),
            is_known if rules.two_years else is_known[..., : len(LAST_YEAR)],
            seen / rules.longest_lead,
            np.log(seen) / 4,
            np.exp(-seen / 4),
        ],
        axis=-1,
        dtype=np.float32,
    )
    lags = panel.weeks.sales_at(series, cutoff[:, None] - OWN_LAGS) / scale[:, None]
    numbers = np.concatenate(
        [
            _summary(totals, levels, scale, rules),
            np.where(np.isnan(lags), quarter[:, None], lags),
            _group_growth(groups, rows, cutoff + shift),
        ],
        axis=1,
    )
    return Inputs(
        scale=scale,
        cutoff=np.clip(numbers, -LARGEST_INPUT, LARGEST_INPUT).astype(np.float32)[:, None],
        lead=lead,
        candidates=candidates,
        linear=linear,
        codes=codes,
    )


def _own_candidates(
    panel: Panel,
    series: IntArray,
    cutoff: IntArray,
    same_week: IntArray,
    scale: FloatArray,
    quarter: FloatArray,
) -> tuple[Float32Array, npt.NDArray[np.bool_]]:
    """Sales of the years before in scales, filled where missing, and which are known."""
    weeks = same_week[..., None] + _YEARS_BACK
    values = panel.weeks.sales_at(series, weeks) / scale.astype(np.float32)[:, None, None]
    is_known = ~np.isnan(values) & (weeks <= cutoff[:, None, None])
    values = np.where(is_known, values, np.float32(0))
    n_near = len(LAST_YEAR)
    n_known = is_known[..., :n_near].sum(axis=-1)
    near = values[..., :n_near].sum(axis=-1) / np.maximum(n_known, 1)
    instead = np.where(n_known > 0, near, quarter[:, None]).astype(np.float32)
    return np.where(is_known, values, instead[..., None]), is_known


def _profile(
    groups: Weeks, rows: IntArray, cutoff: IntArray, same_week: IntArray, back: IntArray
) -> Float32Array:
    """Sales of each group in the same week, over those of the quarter up to a year before.

    Returns:
        Cutoff by week ahead by group, NaN where that is not known.
    """
    n_cutoffs, n_leads = same_week.shape
    found = np.empty((n_cutoffs, n_leads, rows.shape[1]), dtype=np.float32)
    # Column 0 is empty.
    last = groups.last
    at = np.where((same_week >= BEFORE) & (same_week <= last), same_week, 0)
    end = np.clip(cutoff[:, None] - back, BEFORE - 1, last).ravel()
    for position in range(rows.shape[1]):
        of_lead = np.repeat(rows[:, position], n_leads)
        total = groups.totals(of_lead, end, SPANS[[_QUARTER]])[:, 0]
        level = total[:, SALES] / np.maximum(total[:, OBSERVED], 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = groups.sales_at(rows[:, position], at).ravel() / level
        is_sound = (total[:, OBSERVED] >= LEAST_PROFILE_WEEKS) & (level > 0) & ~np.isnan(ratio)
        ratio = np.where(is_sound, np.clip(ratio, 0, LARGEST_PROFILE), np.nan)
        found[..., position] = ratio.reshape(n_cutoffs, n_leads)
    return found


def _group_growth(groups: Weeks, rows: IntArray, cutoff: IntArray) -> FloatArray:
    """Logarithm of each group's growth against a year before: cutoff by group and span."""
    end = np.clip(cutoff, BEFORE, groups.last)
    columns = []
    for position in range(rows.shape[1]):
        totals = groups.totals(rows[:, position], end, GROUP_SPANS)
        size = np.maximum(np.abs(totals[..., PAIRED_BEFORE]), TINY)
        growth = np.clip(totals[..., PAIRED_SALES] / size, 1 / LARGEST_GROWTH, LARGEST_GROWTH)
        columns.append(np.where(totals[..., PAIRED] > 0, np.log(growth), 0))
    return np.concatenate(columns, axis=1)


def _shown_features(
    panel: Panel,
    series: IntArray,
    cutoff: IntArray,
    leads: IntArray,
    same_week: IntArray,
    is_known: npt.NDArray[np.bool_],
    rules: Rules,
    kind: str,
) -> tuple[Float32Array, Float32Array]:
    """Features of the weeks ahead as the network sees them, and those of the linear term."""
    ahead = panel.features_at(series, cutoff[:, None] + leads)
    before = panel.features_at(series, same_week)
    if kind == RAW:
        return np.concatenate([ahead, before], axis=-1), ahead[..., :0]
    # What has never moved in training would only push weights that nothing has taught.
    moved = np.where(is_known[..., None], (ahead - before) * np.array(rules.moves, bool), ahead)
    if not any(rules.own):
        return moved, moved
    own = np.flatnonzero(rules.own)
    return np.concatenate([moved, ahead[..., own]], axis=-1), moved


def _summary(totals: FloatArray, levels: FloatArray, scale: FloatArray, rules: Rules) -> FloatArray:
    """Level, growth, gaps, size and spread of each series at its cutoff."""
    n_paired = totals[:, _GROWTHS, PAIRED]
    size = np.maximum(n_paired, 1) * scale[:, None]
    growth = _log_ratio(
        totals[:, _GROWTHS, PAIRED_SALES] / size, totals[:, _GROWTHS, PAIRED_BEFORE] / size
    )
    n_year = totals[:, _YEAR, OBSERVED]
    square = totals[:, _YEAR, SQUARES] / np.maximum(n_year, 1) / scale**2
    ones = np.ones_like(levels[:, _LEVELS])
    return np.concatenate(
        [
            _log_ratio(levels[:, _LEVELS], ones),
            growth,
            n_paired > 0,
            totals[:, _GAPS, OBSERVED] / SPANS[_GAPS],
            (n_year == 0)[:, None],
            ((np.log(scale) - rules.log_mean) / rules.log_deviation)[:, None],
            np.sqrt(np.maximum(square - levels[:, _YEAR] ** 2, 0))[:, None],
        ],
        axis=1,
    )


def _log_ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Logarithm of a ratio of sales in scales; what is negative counts as none."""
    ratio = (np.maximum(above, 0) + 0.01) / (np.maximum(below, 0) + 0.01)
    return np.clip(np.log(ratio), -LARGEST_LOG, LARGEST_LOG)
