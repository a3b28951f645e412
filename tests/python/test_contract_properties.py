"""What exports can produce is valid for DeepAR, and any one broken rule of its contract is found.

2,000 cases: always the same ones, other ones in a longer run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salescast.container.checks import check_inference_file, check_training_file
from salescast.container.errors import ContractError
from salescast.errors import RunError
from salescast.quantiles import QUANTILES
from salescast.settings import load_settings
from salescast.warehouse.duckdb import DuckDBWarehouse
from salescast.week.output_check import check_output, write_manifest
from support.answers import write_lines

CUTOFF = date(2026, 10, 31)
HORIZON = 3
N_FRAMES, N_INPUTS, N_SOUND_OUTPUTS, N_OUTPUTS = 300, 1_000, 100, 600
"""Cases of all properties."""

Line = dict[str, Any]
Lines = list[Line]


def cases(number: int, is_long: bool) -> settings:
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=not is_long,
        suppress_health_check=list(HealthCheck),
    )


# ---- what exports can produce ----------------------------------------------------------------

key_parts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
sales = st.one_of(
    st.none(),
    st.just(0.0),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(-100, 1_000_000, places=2).map(float),
)
feature_values = st.one_of(
    st.integers(-3, 400).map(float),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 6)),
)


def is_trainable(target: list[float | None]) -> bool:
    return len(target) >= HORIZON and any(value for value in target)


@dataclass
class Series:
    store: str
    department: str
    target: list[float | None]

    @property
    def item_id(self) -> str:
        return ":".join(
            part.replace("%", "%25").replace(":", "%3A") for part in (self.store, self.department)
        )

    @property
    def start(self) -> str:
        return f"{CUTOFF - timedelta(weeks=len(self.target) - 1)} 00:00:00"


@dataclass
class Frame:
    """Rows of the exports, and whether they have categories."""

    series: list[Series]
    features: list[list[float]]
    with_categories: bool


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Series that all reach the cutoff, each with an observation; one is long enough for all."""
    targets = st.lists(sales, min_size=1, max_size=8).filter(
        lambda target: any(value is not None for value in target)
    )
    keys = draw(st.lists(st.tuples(key_parts, key_parts), min_size=1, max_size=5, unique=True))
    long = [float(week % 7) for week in range(300)]
    series = [Series(*keys[0], long)] + [Series(*key, draw(targets)) for key in keys[1:]]
    n_features = draw(st.integers(0, 2))
    one_feature = st.lists(feature_values, min_size=300 + HORIZON, max_size=300 + HORIZON)
    few = draw(st.lists(feature_values, min_size=5, max_size=5))
    features = [
        draw(one_feature) if n == 0 else (few * (300 + HORIZON))[: 300 + HORIZON]
        for n in range(n_features)
    ]
    return Frame(series, features, draw(st.booleans()))


class Shop:
    """A warehouse whose exports are the rows of a frame."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.settings = load_settings(home=folder / "home", schema_prefix="shop", threads=1)
        self.settings.home.mkdir(parents=True)
        self.warehouse = DuckDBWarehouse(self.settings)

    def fill(self, frame: Frame) -> None:
        self.settings.warehouse_file.unlink(missing_ok=True)
        trained = [each for each in frame.series if is_trainable(each.target)]
        codes = [
            {key: code for code, key in enumerate(dict.fromkeys(keys))}
            for keys in ([x.store for x in trained], [x.department for x in trained])
        ]
        with duckdb.connect(str(self.settings.warehouse_file)) as connection:
            connection.execute(
                """
                begin;
                create schema shop_exports;
                create table shop_exports.exp_series
                    (cutoff_date date, item_id varchar, store_id varchar, department_id varchar);
                create table shop_exports.exp_categories
                    (cutoff_date date, cat_position int, code int, category_value varchar);
                create table shop_exports.exp_features
                    (cutoff_date date, feature_idx int, feature_name varchar);
                create table shop_exports.exp_deepar__train (
                    item_id varchar, cutoff_date date, series_start varchar, target double[],
                    cat int[], dynamic_feat double[][], dynamic_feat_key varchar
                );
                create table shop_exports.exp_deepar__inference as
                    from shop_exports.exp_deepar__train;
                """
            )
            for n, _ in enumerate(frame.features):
                connection.execute(
                    "insert into shop_exports.exp_features values (?, ?, ?)",
                    [CUTOFF, n, f"feature {n}"],
                )
            if frame.with_categories:
                for position, code_of in enumerate(codes):
                    connection.executemany(
                        "insert into shop_exports.exp_categories values (?, ?, ?, ?)",
                        [[CUTOFF, position, code, key] for key, code in code_of.items()],
                    )
            for each in frame.series:
                connection.execute(
                    "insert into shop_exports.exp_series values (?, ?, ?, ?)",
                    [CUTOFF, each.item_id, each.store, each.department],
                )
                cat = [codes[0].get(each.store), codes[1].get(each.department)]
                first = 300 - len(each.target)
                key = f"store {each.store}:{first}"
                for table, ahead in (("train", 0), ("inference", HORIZON)):
                    if table == "train" and not is_trainable(each.target):
                        continue
                    features = [values[first : 300 + ahead] for values in frame.features]
                    connection.execute(
                        f"insert into shop_exports.exp_deepar__{table}"
                        " values (?, ?, ?, ?, ?, ?, ?)",
                        [each.item_id, CUTOFF, each.start, each.target, cat, features, key],
                    )
            connection.execute("commit")


@pytest.mark.slow
def test_any_frame_that_exports_can_produce_is_valid(tmp_path: Path, is_long: bool) -> None:
    shop = Shop(tmp_path)

    @cases(N_FRAMES, is_long)
    @given(frames())
    def holds(frame: Frame) -> None:
        shop.fill(frame)
        training, inference = shop.work / "train" / "train.json.gz", shop.work / "inference.json"
        encoding = shop.warehouse.export_encoding(CUTOFF, shop.work)
        n_training = shop.warehouse.export_training(CUTOFF, training).n_records
        n_inference = shop.warehouse.export_inference(CUTOFF, inference, encoding)
        trained = check_training_file(training, prediction_length=HORIZON)
        assert trained.n_series == n_training
        asked = check_inference_file(
            inference,
            HORIZON,
            cardinality=trained.cardinality,
            num_dynamic_feat=trained.num_dynamic_feat,
            weekday=trained.weekday,
        )
        assert trained.num_dynamic_feat == len(frame.features)
        assert asked.n_series == n_inference >= n_training
        manifest = shop.work / "inference_items.parquet"
        assert write_manifest(inference, manifest, config={"threads": 1}) == n_inference
        lines = [json.loads(line) for line in inference.read_bytes().splitlines()]
        items = duckdb.sql(f"select item_id from '{manifest}' order by position").fetchall()
        assert [line["item_id"] for line in lines] == [item_id for (item_id,) in items]
        targets = {each.item_id: each.target for each in frame.series}
        assert all(line["target"] == targets[line["item_id"]] for line in lines)

    holds()


# ---- one broken rule of an input -------------------------------------------------------------


def good_input(n_series: int, ahead: int) -> Lines:
    return [
        {
            "start": "2024-01-05 00:00:00",
            "target": [None, *(float(week % 5 + number) for week in range(1, 160))],
            "cat": [number % 2, number],
            "dynamic_feat": [[week / 4 for week in range(160 + ahead)] for _ in range(2)],
        }
        for number in range(n_series)
    ]


bad_starts = ("2024-01-05T00:00:00", "05.01.2024 00:00:00", "2024-02-30 00:00:00", "", None, 5)
no_number: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    "7",
    True,
    [1],
    {},
    "Infinity",
)

InputRule = Callable[[st.DrawFn, Lines], bytes | None]


def a_line(draw: st.DrawFn, lines: Lines) -> Line:
    return lines[draw(st.integers(0, len(lines) - 1))]


def not_strict_json(draw: st.DrawFn, lines: Lines) -> bytes:
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return text[: -draw(st.integers(2, len(text) // len(lines) - 2))]


def bad_start(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["start"] = draw(st.sampled_from(bad_starts))


def date_only(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["start"] = "2024-01-05"


def other_weekday(draw: st.DrawFn, lines: Lines) -> None:
    day = date(2024, 1, 5) + timedelta(days=draw(st.integers(1, 6)))
    lines[draw(st.integers(1, len(lines) - 1))]["start"] = f"{day} 00:00:00"


def no_start_or_target(draw: st.DrawFn, lines: Lines) -> None:
    del a_line(draw, lines)[draw(st.sampled_from(["start", "target"]))]


def target_no_number(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["target"][draw(st.integers(0, 159))] = draw(st.sampled_from(no_number))


def target_all_null(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["target"] = [draw(st.sampled_from([None, "NaN"]))] * 160


def target_all_zero(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["target"] = [draw(st.sampled_from([0, 0.0, -0.0]))] * 160


def too_few_observations(draw: st.DrawFn, lines: Lines) -> None:
    left = draw(st.integers(HORIZON, 299 // len(lines)))
    for line in lines:
        line["target"] = [1.0] * left
        line["dynamic_feat"] = [values[:left] for values in line["dynamic_feat"]]


def shorter_than_the_horizon(draw: st.DrawFn, lines: Lines) -> None:
    line, left = a_line(draw, lines), draw(st.integers(1, HORIZON - 1))
    line["target"] = [1.0] * left
    line["dynamic_feat"] = [values[:left] for values in line["dynamic_feat"]]


def cat_of_another_length(draw: st.DrawFn, lines: Lines) -> None:
    line = a_line(draw, lines)
    line["cat"] = draw(st.sampled_from([line["cat"][:1], [*line["cat"], 0]]))


def no_cat(draw: st.DrawFn, lines: Lines) -> None:
    del a_line(draw, lines)["cat"]


def cat_no_code(draw: st.DrawFn, lines: Lines) -> None:
    bad = st.sampled_from([-1, 0.5, "0", None, True, 1.0])
    a_line(draw, lines)["cat"][draw(st.integers(0, 1))] = draw(bad)


def cat_with_a_gap(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["cat"][1] = len(lines) + draw(st.integers(0, 5))


def feature_too_long_or_short(draw: st.DrawFn, lines: Lines) -> None:
    line, by = a_line(draw, lines), draw(st.sampled_from([-1, 1]))
    for n in draw(st.sampled_from([[0], [1], [0, 1]])):
        values = line["dynamic_feat"][n]
        line["dynamic_feat"][n] = values[:-1] if by < 0 else [*values, 0.5]


def another_number_of_features(draw: st.DrawFn, lines: Lines) -> None:
    line = a_line(draw, lines)
    features = line["dynamic_feat"]
    line["dynamic_feat"] = draw(st.sampled_from([features[:1], [*features, features[0]], []]))


def feature_no_number(draw: st.DrawFn, lines: Lines) -> None:
    row = a_line(draw, lines)["dynamic_feat"][draw(st.integers(0, 1))]
    row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from([*no_number, None, "NaN"]))


def another_key(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)[draw(st.sampled_from(["id", "store", "end", "Start"]))] = 1


def an_id(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["item_id"] = "1:1"


def no_id(draw: st.DrawFn, lines: Lines) -> None:
    line = a_line(draw, lines)
    line["item_id"] = draw(st.sampled_from([None, 5, ["1:1"]]))


def an_id_twice(draw: st.DrawFn, lines: Lines) -> None:
    lines[draw(st.integers(1, len(lines) - 1))]["item_id"] = lines[0]["item_id"]


def a_huge_line(draw: st.DrawFn, lines: Lines) -> None:
    a_line(draw, lines)["item_id"] = "1" * draw(st.integers(50_000, 60_000))


BOTH: tuple[InputRule, ...] = (
    not_strict_json,
    bad_start,
    other_weekday,
    no_start_or_target,
    target_no_number,
    target_all_null,
    cat_of_another_length,
    no_cat,
    cat_no_code,
    cat_with_a_gap,
    feature_too_long_or_short,
    another_number_of_features,
    feature_no_number,
    another_key,
)
TRAINING: tuple[InputRule, ...] = (
    *BOTH,
    date_only,
    target_all_zero,
    too_few_observations,
    shorter_than_the_horizon,
    an_id,
)
INFERENCE: tuple[InputRule, ...] = (*BOTH, no_id, an_id_twice, a_huge_line)


@pytest.mark.parametrize("kind", ["training", "inference"])
def test_one_broken_rule_of_an_input_is_found(tmp_path: Path, is_long: bool, kind: str) -> None:
    path = tmp_path / "records.json"
    is_training = kind == "training"
    rules = TRAINING if is_training else INFERENCE

    def write(n_series: int, break_it: Callable[[Lines], bytes | None]) -> None:
        lines = good_input(n_series, 0 if is_training else HORIZON)
        if not is_training:
            lines = [{"item_id": f"1:{n}", **line} for n, line in enumerate(lines)]
        spoiled = break_it(lines)
        if spoiled is None:
            write_lines(path, lines)
        else:
            path.write_bytes(spoiled)

    def check(n_series: int) -> None:
        if is_training:
            check_training_file(path, prediction_length=HORIZON)
        else:
            check_inference_file(
                path,
                HORIZON,
                cardinality=(2, n_series),
                num_dynamic_feat=2,
                weekday=4,
                max_line_bytes=50_000,
            )

    @cases(N_INPUTS // 2, is_long)
    @given(st.data(), st.sampled_from(rules), st.integers(2, 4))
    def holds(data: st.DataObject, rule: InputRule, n_series: int) -> None:
        write(n_series, lambda lines: None)
        check(n_series)
        write(n_series, lambda lines: rule(data.draw, lines))  # type: ignore[arg-type]
        with pytest.raises(ContractError):
            check(n_series)

    holds()


# ---- one broken rule of an output ------------------------------------------------------------

finite = st.floats(-1e12, 1e12)


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, Lines]:
    """A horizon and sound lines, in the order of their items."""
    horizon = draw(st.integers(1, 3))
    items = draw(st.lists(st.tuples(key_parts, key_parts), min_size=2, max_size=5, unique=True))
    lines = []
    for key in items:
        level = draw(finite)
        steps = draw(st.lists(st.floats(0, 1e6), min_size=11, max_size=11))
        values = [level]
        for step in steps[1:]:
            values.append(values[-1] + step)
        quantiles = {q: [v] * horizon for q, v in zip(QUANTILES, values, strict=True)}
        forecast = {"mean": [draw(finite) for _ in range(horizon)], "quantiles": quantiles}
        lines.append({"item_id": Series(*key, []).item_id, "SageMakerOutput": forecast})
    return horizon, lines


def array_of(draw: st.DrawFn, line: Line) -> tuple[Line, str]:
    forecast = line["SageMakerOutput"]
    name = draw(st.sampled_from(["mean", *QUANTILES]))
    return (forecast, name) if name == "mean" else (forecast["quantiles"], name)


def lost_line(draw: st.DrawFn, lines: Lines) -> str:
    return str(lines.pop(draw(st.integers(0, len(lines) - 1)))["item_id"])


def line_twice(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    lines.insert(draw(st.integers(0, len(lines))), line)
    return str(line["item_id"])


def item_not_asked_for(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    line["item_id"] += ":x"
    return str(line["item_id"])


def item_added(draw: st.DrawFn, lines: Lines) -> str:
    lines.insert(draw(st.integers(0, len(lines))), {**lines[0], "item_id": "9:x:y"})
    return "9:x:y"


def out_of_order(draw: st.DrawFn, lines: Lines) -> str:
    first = draw(st.integers(0, len(lines) - 2))
    second = draw(st.integers(first + 1, len(lines) - 1))
    lines[first], lines[second] = lines[second], lines[first]
    return str(lines[first]["item_id"])


def wrong_length(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    holder, name = array_of(draw, line)
    holder[name] = draw(st.sampled_from([[], holder[name][1:], [*holder[name], 1.0]]))
    return str(line["item_id"])


def array_missing(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    holder, name = array_of(draw, line)
    if draw(st.booleans()):
        del holder[name]
    else:
        holder[name] = draw(st.sampled_from([None, 5, "x", {}]))
    return str(line["item_id"])


def quantile_not_asked_for(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    quantiles = line["SageMakerOutput"]["quantiles"]
    quantiles[draw(st.sampled_from(["0.01", "0.50", "x"]))] = quantiles["0.5"]
    return str(line["item_id"])


def forecast_missing(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    line["SageMakerOutput"] = draw(st.sampled_from([None, [], "x", {}, {"mean": [1.0]}]))
    return str(line["item_id"])


def value_no_number(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    holder, name = array_of(draw, line)
    position = draw(st.integers(0, len(holder[name]) - 1))
    holder[name] = list(holder[name])
    holder[name][position] = draw(st.sampled_from([*no_number, None, "NaN", "nan", "", "-inf"]))
    return str(line["item_id"])


def crossed(draw: st.DrawFn, lines: Lines) -> str:
    line = a_line(draw, lines)
    quantiles = line["SageMakerOutput"]["quantiles"]
    low = draw(st.integers(0, len(QUANTILES) - 2))
    high = draw(st.integers(low + 1, len(QUANTILES) - 1))
    values = list(quantiles[QUANTILES[low]])
    above = quantiles[QUANTILES[high]]
    week = draw(st.integers(0, len(values) - 1))
    values[week] = above[week] + draw(st.floats(1e-5, 1.0)) * max(abs(above[week]), 1e-300)
    quantiles[QUANTILES[low]] = values
    return str(line["item_id"])


def no_item_id(draw: st.DrawFn, lines: Lines) -> str:
    position = draw(st.integers(0, len(lines) - 1))
    lines[position] = {"SageMakerOutput": lines[position]["SageMakerOutput"]}
    return f"line {position + 1}"


def text_of(lines: Lines) -> list[bytes]:
    return [json.dumps(line).encode() + b"\n" for line in lines]


def cut(draw: st.DrawFn, lines: Lines) -> tuple[bytes, str]:
    whole = b"".join(text_of(lines))
    last = text_of(lines)[-1]
    return whole[: -draw(st.integers(2, len(last) - 1))], str(lines[-1]["item_id"])


def emptied(draw: st.DrawFn, lines: Lines) -> tuple[bytes, str]:
    return draw(st.sampled_from([b"", b"\n"])), str(lines[0]["item_id"])


def no_json(draw: st.DrawFn, lines: Lines) -> tuple[bytes, str]:
    position, texts = draw(st.integers(0, len(lines) - 1)), text_of(lines)
    texts[position] = draw(
        st.sampled_from([b"x\n", b"[1]\n", b"5\n", b"null\n", b"{\n", b"\xff\n"])
    )
    return b"".join(texts), f"line {position + 1} for {lines[position]['item_id']}"


def on_one_line(draw: st.DrawFn, lines: Lines) -> tuple[bytes, str]:
    return b"".join(text_of(lines)).replace(b"\n", b""), f"line 1 for {lines[0]['item_id']}"


OutputRule = Callable[[st.DrawFn, Lines], str | tuple[bytes, str]]
OUTPUT: tuple[OutputRule, ...] = (
    lost_line,
    line_twice,
    item_not_asked_for,
    item_added,
    out_of_order,
    wrong_length,
    array_missing,
    quantile_not_asked_for,
    forecast_missing,
    value_no_number,
    crossed,
    no_item_id,
    cut,
    emptied,
    no_json,
    on_one_line,
)


class Transform:
    """The files of one transform."""

    def __init__(self, folder: Path) -> None:
        self.manifest = folder / "inference_items.parquet"
        self.output = folder / "inference.json.out"
        self.forecasts = folder / "forecasts.parquet"

    def fill(self, lines: Lines) -> None:
        items = [line["item_id"] for line in lines]
        pq.write_table(
            pa.table({"position": range(1, len(items) + 1), "item_id": items}), self.manifest
        )
        write_lines(self.output, lines)

    def check(self, horizon: int) -> None:
        check_output(
            self.output,
            self.manifest,
            self.forecasts,
            prediction_length=horizon,
            config={"threads": 1},
        )


def test_a_sound_output_is_accepted_as_it_is(tmp_path: Path, is_long: bool) -> None:
    transform = Transform(tmp_path)

    @cases(N_SOUND_OUTPUTS, is_long)
    @given(answers())
    def holds(sound: tuple[int, Lines]) -> None:
        horizon, lines = sound
        transform.fill(lines)
        transform.check(horizon)
        rows = pq.read_table(transform.forecasts).to_pylist()
        assert [row["item_id"] for row in rows] == [line["item_id"] for line in lines]
        for row, line in zip(rows, lines, strict=True):
            assert row["mean"] == line["SageMakerOutput"]["mean"]
            assert row["quantiles"] == list(line["SageMakerOutput"]["quantiles"].values())

    holds()


@pytest.mark.slow
def test_one_broken_rule_of_an_output_is_found_and_named(tmp_path: Path, is_long: bool) -> None:
    transform = Transform(tmp_path)

    @cases(N_OUTPUTS, is_long)
    @given(st.data(), st.sampled_from(OUTPUT), answers())
    def holds(data: st.DataObject, rule: OutputRule, sound: tuple[int, Lines]) -> None:
        horizon, lines = sound
        transform.fill(lines)
        spoiled = rule(data.draw, lines)  # type: ignore[arg-type]
        if isinstance(spoiled, str):
            named = spoiled
            write_lines(transform.output, lines)
        else:
            text, named = spoiled
            transform.output.write_bytes(text)
        with pytest.raises(RunError) as caught:
            transform.check(horizon)
        assert named in str(caught.value)
        assert not transform.forecasts.exists()

    holds()
