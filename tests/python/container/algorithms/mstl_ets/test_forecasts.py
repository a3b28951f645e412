"""What the algorithm answers: for series of all kinds, in any batch, before and after saving."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from salescast.container.algorithm import Forecast
from salescast.container.algorithms.mstl_ets import ALGORITHM
from salescast.container.algorithms.mstl_ets.decompose import least_history, look_ahead
from salescast.container.algorithms.mstl_ets.model import MODEL_FILE, MstlEtsModel
from salescast.container.checks import check_training_records
from salescast.container.errors import NO_MODEL, ContractError
from salescast.container.inference import InferenceConfig
from salescast.container.records import FloatArray, Record
from salescast.quantiles import QUANTILES

HORIZON = 13
CONFIG = InferenceConfig(100, ("mean", "quantiles"), QUANTILES)
NO_FEATURES = np.empty((0, 0))


def record(target: Sequence[float] | FloatArray, where: str = "a line") -> Record:
    values = np.array(target, dtype=np.float64)
    return Record(dt.datetime(2024, 1, 5), values, (0,), NO_FEATURES, where)


def seasonal_series(n_series: int, n: int, seed: int = 1) -> FloatArray:
    """Weekly sales with a season, a wandering level and noise: series by week."""
    generator = np.random.default_rng(seed)
    size = generator.gamma(2, 500, size=(n_series, 1)) + 50
    wave = 1 + 0.5 * np.sin(2 * np.pi * (np.arange(n) / 52 + generator.random((n_series, 1))))
    level = 1 + 0.01 * generator.normal(size=(n_series, n)).cumsum(axis=1)
    return np.asarray(size * wave * level * (1 + 0.1 * generator.normal(size=(n_series, n))))


def some_records() -> list[Record]:
    """Series of different lengths with gaps, young ones, constant ones and one of zeros."""
    generator = np.random.default_rng(5)
    values = seasonal_series(40, 130)
    records = []
    for number, row in enumerate(values):
        target = row[(number % 8) * 10 :].copy()
        target[1:][generator.random(len(target) - 1) < 0.05 * (number % 3)] = np.nan
        records.append(record(target))
    records += [record(np.full(90, 12.0)), record(np.zeros(100)), record(np.full(30, 7.0))]
    return records


def fitted(records: Sequence[Record], horizon: int = HORIZON) -> MstlEtsModel:
    settings = ALGORITHM.read_hyperparameters({"time_freq": "W", "prediction_length": str(horizon)})
    summary = check_training_records(records, prediction_length=horizon)
    return ALGORITHM.fit(records, settings, summary)


def answers(model: MstlEtsModel, records: Sequence[Record]) -> list[Forecast]:
    return list(ALGORITHM.forecast(model, records, CONFIG))


def values(forecasts: Sequence[Forecast]) -> FloatArray:
    """Record by mean and levels by step."""
    return np.stack(
        [
            np.concatenate([each.values("mean")[None], each.values("quantiles")])
            for each in forecasts
        ]
    )


@pytest.fixture(scope="module")
def model() -> MstlEtsModel:
    return fitted(some_records())


def test_every_record_has_a_finite_answer_with_quantiles_in_order(model: MstlEtsModel) -> None:
    records = some_records()
    records += [
        record([5.0]),
        record([5.0, 9.0]),
        record([np.nan, 4.0, np.nan]),
        record([-3.0, 2.0, -1.0] * 40),
        record([0.0] * 100 + [8.0] + [np.nan] * 20),
        record([3.0, *[np.nan] * 120, 5.0]),
        record([]),
        record([np.nan] * 5),
    ]
    found = values(answers(model, records))
    assert found.shape == (len(records), 1 + len(QUANTILES), HORIZON)
    assert np.isfinite(found).all()
    assert (np.diff(found[:, 1:], axis=1) >= 0).all()
    np.testing.assert_array_equal(found[:, 0], found[:, 1 + QUANTILES.index("0.5")])


def test_the_batch_and_the_order_do_not_show(model: MstlEtsModel) -> None:
    records = some_records()
    together = values(answers(model, records))
    alone = np.concatenate([values(answers(model, [each])) for each in records])
    np.testing.assert_array_equal(alone, together)
    backwards = values(answers(model, records[::-1]))
    np.testing.assert_array_equal(backwards[::-1], together)
    many = records * 40
    np.testing.assert_array_equal(values(answers(model, many))[: len(records)], together)


def test_the_order_of_training_does_not_show(model: MstlEtsModel) -> None:
    shuffled = some_records()
    np.random.default_rng(2).shuffle(shuffled)  # type: ignore[arg-type]
    assert fitted(shuffled) == model


def test_a_season_comes_again_where_there_is_history_for_it() -> None:
    wave = 100 + 40 * np.sin(2 * np.pi * np.arange(200) / 52)
    n = least_history(52)
    assert n == 80
    for length, has_season in ((n, True), (n - 1, False), (160, True)):
        ahead = look_ahead([wave[:length]], 39, period=52, window=11)
        assert ahead.has_season.tolist() == [has_season]
        if has_season:
            actual = wave[length : length + 39]
            assert np.abs(ahead.mean[0] - actual).mean() < (12 if length == n else 3)
    with_gaps = wave[:160].copy()
    with_gaps[1:130] = np.nan
    assert look_ahead([with_gaps], 39, period=52, window=11).has_season.tolist() == [False]


def test_the_season_goes_on_beyond_a_year() -> None:
    series = seasonal_series(2, 130)
    far = look_ahead(list(series), 60, period=52, window=11)
    near = look_ahead(list(series), 8, period=52, window=11)
    np.testing.assert_array_equal(far.mean[:, :8], near.mean)
    without_level = far.mean - far.mean.mean(axis=1, keepdims=True)
    assert np.corrcoef(without_level[0, :8], without_level[0, 52:])[0, 1] > 0.9


def test_history_ends_where_the_seasonal_smoother_does(model: MstlEtsModel) -> None:
    long = seasonal_series(1, 700)[0]
    changed = long.copy()
    changed[: 700 - 11 * 52] = np.nan
    first, second = answers(model, [record(long), record(changed)])
    np.testing.assert_array_equal(first.values("quantiles"), second.values("quantiles"))
    silent = np.full(700, np.nan)
    silent[0] = 4.0
    (answer,) = answers(model, [record(silent)])
    assert answer.values("mean").tolist() == [4.0] * HORIZON


def test_constant_and_silent_series_stay_as_they_are(model: MstlEtsModel) -> None:
    constant, zeros = answers(model, [record(np.full(90, 12.0)), record(np.zeros(100))])
    np.testing.assert_allclose(constant.values("quantiles"), 12.0, rtol=1e-6)
    assert (zeros.values("quantiles") == 0).all()
    assert (zeros.values("mean") == 0).all()


def test_one_point_gets_the_width_that_other_series_have(model: MstlEtsModel) -> None:
    (answer,) = answers(model, [record([500.0])])
    assert answer.values("mean").tolist() == [500.0] * HORIZON
    low, high = answer.values("quantiles")[[1, 9], 0]
    half = 1.2816 * 500 * np.sqrt(model.widths.relative_variance) * model.widths.plain[0][3]
    assert high - 500 == pytest.approx(half, rel=1e-4) == 500 - low
    assert half > 20


def test_a_series_that_was_never_observed_is_one_of_the_others(model: MstlEtsModel) -> None:
    (answer,) = answers(model, [record([])])
    means = [np.nanmean(each.target) for each in some_records()]
    assert answer.values("mean").tolist() == pytest.approx([np.mean(means)] * HORIZON)
    assert answer.values("quantiles")[9, 0] - np.mean(means) > np.std(means)


def test_bands_hold_about_what_they_promise() -> None:
    series = seasonal_series(300, 143, seed=9)
    model = fitted([record(row[:-HORIZON]) for row in series])
    found = values(answers(model, [record(row[:-HORIZON]) for row in series]))
    actual = series[:, -HORIZON:]
    for low, high, share in ((2, 10, 0.8), (4, 8, 0.4), (1, 11, 0.9)):
        held = (found[:, low] <= actual) & (actual <= found[:, high])
        assert held.mean() == pytest.approx(share, abs=0.07)


def test_errors_before_the_cutoff_widen_the_bands() -> None:
    generator = np.random.default_rng(4)
    calm = seasonal_series(100, 130)
    jumpy = calm.copy()
    # Levels that jump in the last weeks, more than anything before them lets expect.
    jumpy[:, -10:] *= np.exp(generator.normal(size=(100, 1)))
    widths = [fitted([record(row) for row in rows]).widths for rows in (calm, jumpy)]
    assert widths[1].seasonal[0][3] > widths[0].seasonal[0][3] * 1.1
    assert widths[1].seasonal[-1] == widths[1].seasonal[2]


def test_nothing_after_the_end_is_looked_at() -> None:
    """A gap is filled, and a season found, from points up to the end alone."""
    long = seasonal_series(1, 140)[0]
    long[[20, 60, 95, 119]] = np.nan
    model = fitted(some_records())
    (cut,) = answers(model, [record(long[:120])])
    changed = long.copy()
    changed[120:] = 1e6
    (again,) = answers(model, [record(changed[:120])])
    np.testing.assert_array_equal(cut.values("quantiles"), again.values("quantiles"))


def test_a_saved_model_is_json_and_forecasts_the_same(model: MstlEtsModel, tmp_path: Path) -> None:
    ALGORITHM.save(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [MODEL_FILE]
    json.loads((tmp_path / MODEL_FILE).read_text())
    again = ALGORITHM.load(tmp_path)
    assert again == model
    records = some_records()[:5]
    np.testing.assert_array_equal(values(answers(again, records)), values(answers(model, records)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format_version", 2),
        ("season_length", 1),
        ("season_length", "52"),
        ("seasonal_window", None),
        ("inputs", {}),
        ("inputs", []),
        ("widths", {"seasonal": [[1] * 5] * 5, "plain": [], "relative_variance": 1}),
        ("widths", {"seasonal": [[1] * 5] * 5, "plain": [[0] * 5] * 5, "relative_variance": 1}),
        ("widths", {"seasonal": [[1] * 5] * 5, "plain": [[1] * 5] * 5, "relative_variance": -1}),
        ("new_mean", "much"),
        ("new_deviation", None),
    ],
)
def test_a_damaged_model_is_refused(
    model: MstlEtsModel, tmp_path: Path, name: str, value: object
) -> None:
    ALGORITHM.save(model, tmp_path)
    path = tmp_path / MODEL_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ContractError, match=f"{NO_MODEL}|format 2 is not known"):
        ALGORITHM.load(tmp_path)


@pytest.mark.parametrize("text", [None, "", "[]", "{", "\0"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / MODEL_FILE).write_text(text)
    with pytest.raises(ContractError, match=NO_MODEL):
        ALGORITHM.load(tmp_path)


def test_a_target_that_cannot_be_squared_is_refused(model: MstlEtsModel) -> None:
    with pytest.raises(ContractError, match=r"train\.json line 3: target holds a value beyond"):
        answers(model, [record([1.0, 1e200], "train.json line 3")])


def test_no_other_library_is_imported() -> None:
    program = (
        "import sys\n"
        "from salescast.container.algorithm import find_algorithm\n"
        "find_algorithm('mstl_ets')\n"
        "print([name for name in ('torch', 'gluonts', 'pandas', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
