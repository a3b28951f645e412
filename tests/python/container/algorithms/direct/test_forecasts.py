"""What the algorithm answers: for series of all kinds, in any batch, before and after saving."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salescast.container.algorithm import Forecast
from salescast.container.algorithms.direct import ALGORITHM
from salescast.container.algorithms.direct.model import (
    ARRAYS_FILE,
    MODEL_FILE,
    DirectModel,
    by_history,
    kinds_of,
)
from salescast.container.checks import check_training_records
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record
from salescast.container.weekly.chain import GROUPS
from salescast.container.weekly.levels import LEVELS, at_levels
from salescast.quantiles import QUANTILES

HORIZON = 13
N_FEATURES = 3
CONFIG = InferenceConfig(100, ("mean", "quantiles"), QUANTILES)
END = dt.date(2026, 6, 26)


def features(n: int, end: dt.date = END) -> FloatArray:
    """An event a year, one that moves and a wave, for the weeks up to `end` and HORIZON more."""
    last = end.toordinal() // 7
    weeks = np.arange(last - n + 1, last + HORIZON + 1)
    return np.stack(
        [weeks % 52 == 7, (weeks + weeks // 52 % 2) % 52 == 20, np.sin(2 * np.pi * weeks / 52)]
    ).astype(float)


def record(
    target: Sequence[float] | FloatArray,
    cat: tuple[int, ...] = (0, 0),
    *,
    ahead: int = 0,
    end: dt.date = END,
    where: str = "a line",
) -> Record:
    values = np.array(target, dtype=np.float64)
    shown = features(len(values), end)[:, : len(values) + ahead]
    start = end - dt.timedelta(weeks=len(values) - 1)
    return Record(dt.datetime.combine(start, dt.time()), values, cat, shown, where)


def seasonal_series(n_series: int, n: int, seed: int = 1) -> FloatArray:
    """Weekly sales with a season, an event and noise: series by week."""
    generator = np.random.default_rng(seed)
    size = generator.gamma(2, 500, size=(n_series, 1)) + 50
    event, _, wave = features(n)[:, :n]
    level = 1 + 0.3 * wave + 0.5 * event
    return np.asarray(size * level * (1 + 0.05 * generator.normal(size=(n_series, n))))


def training_records(n: int = 130) -> list[Record]:
    """Series of different lengths with gaps, young ones, constant ones and one of zeros."""
    generator = np.random.default_rng(5)
    records = []
    for number, row in enumerate(seasonal_series(40, n)):
        target = row[(number % 8) * 10 :].copy()
        target[1:][generator.random(len(target) - 1) < 0.05 * (number % 3)] = np.nan
        records.append(record(target, (number % 4, number % 5)))
    records += [record(np.full(90, 12.0)), record(np.zeros(100)), record([7.0])]
    return records


def fitted(
    records: Sequence[Record], horizon: int = HORIZON, steps: int = 30, **settings: str
) -> DirectModel:
    texts = {"time_freq": "W", "prediction_length": str(horizon), "steps": str(steps), **settings}
    summary = check_training_records(records, prediction_length=min(horizon, HORIZON))
    return ALGORITHM.fit(records, ALGORITHM.read_hyperparameters(texts), summary)


def answers(model: DirectModel, records: Sequence[Record]) -> list[Forecast]:
    return list(ALGORITHM.forecast(model, records, CONFIG))


def values(forecasts: Sequence[Forecast]) -> FloatArray:
    """Record by mean and levels by step."""
    return np.stack(
        [
            np.concatenate([each.values("mean")[None], each.values("quantiles")])
            for each in forecasts
        ]
    )


def to_forecast() -> list[Record]:
    """Series of all kinds, with features of the weeks ahead."""
    generator = np.random.default_rng(8)
    long = seasonal_series(6, 130, seed=2)
    targets: list[Any] = [
        *long,
        *(row[80:] for row in long[:3]),
        np.where(generator.random(130) < 0.3, np.nan, long[0]),
        [5.0],
        [5.0, 9.0],
        [np.nan, 4.0, np.nan],
        [-3.0, 2.0, -1.0] * 40,
        [-5.0] * 60,
        [0.0] * 100,
        [0.0] * 100 + [8.0] + [np.nan] * 20,
        [3.0, *[np.nan] * 120, 5.0],
        [300.0] * 60 + [np.nan] * 60,
        [1e30] * 70,
        [1e-30] * 70,
        np.full(700, 40.0),
        [np.nan] * 5,
        [],
    ]
    return [
        record(target, (number % 4, number % 5), ahead=HORIZON)
        for number, target in enumerate(targets)
    ]


@pytest.fixture(scope="module")
def model() -> DirectModel:
    return fitted(training_records())


def assert_sound(found: FloatArray) -> None:
    assert np.isfinite(found).all()
    assert (np.diff(found[:, 1:], axis=1) >= 0).all()
    assert (found[:, 0] >= found[:, 1]).all()
    assert (found[:, 0] <= found[:, -1]).all()


@pytest.mark.filterwarnings("error")
def test_every_record_has_a_finite_answer_with_quantiles_in_order(model: DirectModel) -> None:
    records = to_forecast()
    found = values(answers(model, records))
    assert found.shape == (len(records), 1 + len(QUANTILES), HORIZON)
    assert_sound(found)


def test_the_batch_and_the_order_do_not_show(model: DirectModel) -> None:
    records = to_forecast()
    together = values(answers(model, records))
    alone = np.concatenate([values(answers(model, [each])) for each in records])
    np.testing.assert_array_equal(alone, together)
    backwards = values(answers(model, records[::-1]))
    np.testing.assert_array_equal(backwards[::-1], together)
    many = records * 25
    np.testing.assert_array_equal(values(answers(model, many))[-len(records) :], together)


def test_training_repeats_exactly_in_any_order_of_the_records(model: DirectModel) -> None:
    shuffled = training_records()
    np.random.default_rng(2).shuffle(shuffled)  # type: ignore[arg-type]
    again = fitted(shuffled)
    assert [network.kind for network in again.networks] == ["gated", "raw"]
    for first, second in zip(model.networks, again.networks, strict=True):
        np.testing.assert_array_equal(first.flat, second.flat)
    other = fitted(shuffled, seed="1")
    assert (other.networks[0].flat != model.networks[0].flat).any()


def test_season_and_events_are_learnt() -> None:
    series = seasonal_series(60, 130 + HORIZON, seed=3)
    end = END - dt.timedelta(weeks=HORIZON)
    known = [record(row[:130], (n % 4, n % 5), end=end) for n, row in enumerate(series)]
    ahead = [
        record(row[:130], (n % 4, n % 5), end=end, ahead=HORIZON) for n, row in enumerate(series)
    ]
    found = values(answers(fitted(known, steps=250, dropout_rate="0.1"), ahead))
    actual = series[:, 130:]
    median = found[:, 1 + QUANTILES.index("0.5")]
    assert np.abs(median - actual).sum() / actual.sum() < 0.07
    inside = (found[:, 2] <= actual) & (actual <= found[:, 10])
    assert 0.6 < inside.mean() < 0.98


def test_what_is_unknown_of_a_series_does_not_break_its_forecast(model: DirectModel) -> None:
    target = seasonal_series(1, 130)[0]
    known, unknown = answers(
        model, [record(target, (1, 1), ahead=HORIZON), record(target, (999, 998), ahead=HORIZON)]
    )
    low, high = np.sort([known.values("mean"), unknown.values("mean")], axis=0)
    assert (high < 2 * low).all()


def test_a_series_that_was_never_observed_is_one_of_the_others(model: DirectModel) -> None:
    found = values(answers(model, [record([], ahead=HORIZON)]))[0]
    means = [np.nanmean(each.target) for each in training_records()]
    assert found[1 + QUANTILES.index("0.5")] == pytest.approx(np.median(means), rel=1e-6)
    assert np.ptp(found, axis=1).max() < 1e-9


def test_a_silent_series_stays_near_what_it_sells() -> None:
    silent = [record([200.0] * 60 + [0.0] * 70, (0, n % 5)) for n in range(8)]
    model = fitted(training_records() + silent, steps=200)
    found = values(answers(model, [record([200.0] * 60 + [0.0] * 70, ahead=HORIZON)]))[0]
    assert np.abs(found[1 + QUANTILES.index("0.5")]).max() < 2


def test_an_event_that_training_has_not_seen_changes_nothing() -> None:
    def with_event(each: Record, value: float) -> Record:
        shown = np.vstack([each.dynamic_feat, np.zeros(each.dynamic_feat.shape[1])])
        shown[-1, len(each.target) :] = value
        return Record(each.start, each.target, each.cat, shown, each.where)

    for features in ("gated", "raw"):
        model = fitted(
            [with_event(each, 0) for each in training_records()], steps=5, features=features
        )
        records = [each for each in to_forecast() if each.n_observed]
        without, with_it = (
            values(answers(model, [with_event(each, value) for each in records]))
            for value in (0, 7)
        )
        np.testing.assert_array_equal(without, with_it)


@pytest.mark.parametrize("horizon", [1, 52, 60, 104])
def test_horizons_of_a_week_and_beyond_a_year(horizon: int) -> None:
    records = [Record(r.start, r.target, r.cat, r.dynamic_feat[:0], r.where) for r in to_forecast()]
    trained = [
        Record(r.start, r.target, r.cat, r.dynamic_feat[:0], r.where) for r in training_records()
    ]
    model = fitted(trained, horizon=horizon, steps=5)
    found = values(answers(model, records))
    assert found.shape[2] == horizon
    assert_sound(found)


def test_a_horizon_that_is_longer_than_the_history() -> None:
    trained = [record(row, (n % 2, 0)) for n, row in enumerate(seasonal_series(30, 20))]
    model = fitted(
        [Record(r.start, r.target, r.cat, r.dynamic_feat[:0], r.where) for r in trained],
        horizon=104,
        steps=5,
    )
    assert model.chain.rules.longest_lead == 19
    (short, *_) = trained
    record_of_none = Record(short.start, short.target, short.cat, np.empty((0, 0)), "a line")
    assert_sound(values(answers(model, [record_of_none])))


def test_a_kept_model_forecasts_later_and_earlier_cutoffs(model: DirectModel) -> None:
    target = seasonal_series(1, 130)[0]
    for weeks in (-300, -60, 5, 60, 300):
        end = END + dt.timedelta(weeks=weeks)
        assert_sound(values(answers(model, [record(target, ahead=HORIZON, end=end)])))


def test_without_categories_and_features() -> None:
    def bare(each: Record) -> Record:
        return Record(each.start, each.target, (), np.empty((0, 0)), each.where)

    model = fitted([bare(each) for each in training_records()], steps=5)
    assert_sound(values(answers(model, [bare(each) for each in to_forecast()])))
    ignoring = fitted(training_records(), steps=5, cardinality="ignore", num_dynamic_feat="ignore")
    assert ignoring.inputs.num_dynamic_feat in (None, N_FEATURES)


@pytest.mark.parametrize("rate", ["0", "0.001", "0.9999"])
def test_any_dropout_trains(rate: str) -> None:
    model = fitted(training_records(), steps=2, dropout_rate=rate)
    assert_sound(values(answers(model, to_forecast())))


def test_history_decides_on_networks_steps_and_dropout() -> None:
    assert kinds_of("auto", 103) == ("gated",)
    assert kinds_of("auto", 104) == ("gated", "raw") == kinds_of("both", 10)
    assert kinds_of("raw", 10) == ("raw",)
    assert [by_history(0.4, 0.1, n) for n in (50, 156, 208, 260, 500)] == pytest.approx(
        [0.4, 0.4, 0.25, 0.1, 0.1]
    )
    young = fitted([record(row) for row in seasonal_series(20, 60)], steps=2)
    assert [network.kind for network in young.networks] == ["gated"]


def test_levels_between_and_beyond_those_of_the_network() -> None:
    normal = np.array([-1.959964, -1.281552, -0.841621, -0.524401, -0.253347, 0.0])
    of_levels = np.concatenate([normal, -normal[-2::-1]])[:, None]
    assert len(of_levels) == len(LEVELS)
    found = at_levels(of_levels, [0.01, 0.05, 0.5, 0.95, 0.975, 0.001])[:, 0]
    assert found == pytest.approx(
        [-2.326348, -1.644854, 0, 1.644854, 1.959964, -3.090232], abs=1e-5
    )


def test_nothing_after_the_cutoff_is_looked_at(model: DirectModel) -> None:
    """A record that ends earlier is forecast from what came before, whatever others know."""
    target = seasonal_series(1, 130)[0]
    early = record(target[:110], ahead=HORIZON, end=END - dt.timedelta(weeks=20))
    late = record(np.where(np.arange(130) < 110, target, 1e6), ahead=HORIZON)
    (alone,) = answers(model, [early])
    beside, _ = answers(model, [early, late])
    np.testing.assert_array_equal(alone.values("quantiles"), beside.values("quantiles"))


def test_a_saved_model_forecasts_the_same(model: DirectModel, tmp_path: Path) -> None:
    ALGORITHM.save(model, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MODEL_FILE, ARRAYS_FILE}
    again = ALGORITHM.load(tmp_path)
    records = to_forecast()
    np.testing.assert_array_equal(values(answers(again, records)), values(answers(model, records)))
    first = (tmp_path / ARRAYS_FILE).read_bytes()
    ALGORITHM.save(again, tmp_path)
    assert (tmp_path / ARRAYS_FILE).read_bytes() == first


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format_version", 2),
        ("inputs", {}),
        ("inputs", []),
        ("feature_sizes", [1.0]),
        ("feature_sizes", [0.0, 1.0, 1.0]),
        ("smallest_scale", -1),
        ("smallest_scale", "much"),
        ("rules", {}),
        ("n_hidden", 95),
        ("n_hidden", 0),
        ("kinds", []),
        ("kinds", ["gated"]),
        ("kinds", ["gated", "other"]),
        ("kinds", ["raw", "gated"]),
        ("stretch", [1.0]),
        ("stretch", [1.0, 0]),
        ("new_quantiles", [1.0]),
        ("new_quantiles", [None] * 11),
        ("first_week", 0.5),
    ],
)
def test_a_damaged_model_is_refused(
    model: DirectModel, tmp_path: Path, name: str, value: object
) -> None:
    ALGORITHM.save(model, tmp_path)
    path = tmp_path / MODEL_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ContractError, match=f"{NO_MODEL}|format 2 is not known"):
        ALGORITHM.load(tmp_path)


@pytest.mark.parametrize("rule", ["cardinality", "own", "moves", "log_mean", "log_deviation"])
def test_a_damaged_rule_is_refused(model: DirectModel, tmp_path: Path, rule: str) -> None:
    ALGORITHM.save(model, tmp_path)
    path = tmp_path / MODEL_FILE
    content = json.loads(path.read_text())
    content["rules"][rule] = None
    path.write_text(json.dumps(content))
    with pytest.raises(ContractError, match=NO_MODEL):
        ALGORITHM.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        {"network_0": None},
        {"network_1": np.zeros(3, dtype=np.float32)},
        {"network_0": "float64"},
        {"network_0": "nan"},
        {GROUPS: np.zeros(3)},
        {GROUPS: None},
        {"more": np.zeros(3)},
    ],
)
def test_damaged_arrays_are_refused(
    model: DirectModel, tmp_path: Path, damage: dict[str, Any]
) -> None:
    ALGORITHM.save(model, tmp_path)
    with np.load(tmp_path / ARRAYS_FILE) as file:
        arrays = {name: file[name] for name in file.files}
    for name, value in damage.items():
        if value is None:
            del arrays[name]
        elif isinstance(value, str):
            arrays[name] = (
                arrays[name].astype(np.float64) if value == "float64" else arrays[name] * np.nan
            )
        else:
            arrays[name] = value
    np.savez(tmp_path / ARRAYS_FILE, **arrays)
    with pytest.raises(ContractError, match=NO_MODEL):
        ALGORITHM.load(tmp_path)


@pytest.mark.parametrize("name", [MODEL_FILE, ARRAYS_FILE])
@pytest.mark.parametrize("text", [None, "", "[]", "{", "\0"])
def test_what_is_no_model_is_refused(
    model: DirectModel, tmp_path: Path, name: str, text: str | None
) -> None:
    ALGORITHM.save(model, tmp_path)
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ContractError, match=NO_MODEL):
        ALGORITHM.load(tmp_path)


def test_pickled_arrays_are_refused(model: DirectModel, tmp_path: Path) -> None:
    ALGORITHM.save(model, tmp_path)
    arrays = np.array([model.networks[0].flat, None], dtype=object)
    np.savez(tmp_path / ARRAYS_FILE, network_0=arrays, network_1=arrays, group_sales=arrays)
    with pytest.raises(ContractError, match=NO_MODEL):
        ALGORITHM.load(tmp_path)


def test_records_that_do_not_suit_the_model_are_refused(model: DirectModel) -> None:
    target = [1.0] * 20
    with pytest.raises(ContractError, match=r"line 3: target holds a value beyond 1e\+30"):
        answers(model, [record([1.0, 1e200], ahead=HORIZON, where="train.json line 3")])
    with pytest.raises(ContractError, match="cat has 1 values, the model was trained with 2"):
        answers(model, [record(target, (0,), ahead=HORIZON)])
    plain = record(target)
    bare = Record(plain.start, plain.target, plain.cat, np.empty((0, 0)), "a line")
    with pytest.raises(ContractError, match="dynamic_feat has 0 values, the model was trained"):
        answers(model, [bare])


def test_no_other_library_is_imported() -> None:
    program = (
        "import sys\n"
        "from salescast.container.algorithm import find_algorithm\n"
        "find_algorithm('direct')\n"
        "print([name for name in ('torch', 'gluonts', 'pandas', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
