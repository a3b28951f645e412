"""Mappings that no person wrote: each is refused at once, in a few words."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from salescast.errors import UserError
from salescast.mapping import load_mapping
from support.sources import write_mapping

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def refusal(tmp_path: Path, text: str) -> UserError:
    path = tmp_path / "m.yml"
    path.write_text(text, encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(UserError) as caught:
        load_mapping(path, tmp_path)
    assert time.process_time() - begun < 5
    assert len(str(caught.value)) < 2000
    assert str(path) in str(caught.value.where)
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("? [a, b]\n: 1\n", "a key must be a word, not a list or keys"),
        ("? {a: b}\n: 1\n", "a key must be a word, not a list or keys"),
        ("tables:\n  ? [sales]\n  : 1\n", "a key must be a word, not a list or keys"),
        ("a: " + "[" * 30 + "]" * 30, "more than 20 deep"),
        ("a: " + "[" * 5000 + "]" * 5000, "more than 20 deep"),
        ("a: " + "{a: " * 5000 + "1" + "}" * 5000, "more than 20 deep"),
        (BOMB, "its aliases"),
        ("a: &a [*a]\n", "more than 20 deep"),
        ("a: &a\n  b: *a\n", "more than 20 deep"),
        ("a: " + "x" * 1_000_001, "a mapping has 1,000,000 at most"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: 2026-13-45\n", "m.yml"),
        ("null: 1\n", "m.yml"),
        ("true: 1\n2026-01-01: 2\n1.5: 3\n", "m.yml"),
        ("name: [a]\ntables: [1, 2]\n", "m.yml"),
        ("a: &a 1\nb: *c\n", "undefined alias"),
        ("!!set {a, b}\n", "m.yml"),
        ("a: 1\n---\nb: 2\n", "m.yml"),
        ("", "not a list of keys"),
        ("- a\n- b\n", "not a list of keys"),
    ],
)
def test_it_is_refused_at_once_and_in_a_few_words(tmp_path: Path, text: str, told: str) -> None:
    assert told in str(refusal(tmp_path, text))


def test_aliases_that_spare_some_words_are_taken(tmp_path: Path) -> None:
    path = write_mapping(tmp_path / "m.yml", grain="daily", week_ends_on="saturday")
    path.write_text(path.read_text() + "null_texts: &nulls ['-', 'n/a']\n", encoding="utf-8")
    assert load_mapping(path, tmp_path).null_texts == ["-", "n/a"]
    text = path.read_text().replace("name: m", "name: &name m")
    path.write_text(text.replace("week_ends_on: saturday", "week_ends_on: &end saturday"))
    assert load_mapping(path, tmp_path).week_ends_on == "saturday"
