"""What listeners said: shares and their intervals, strengths, measures that agree, and answers that are no use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partimento.errors import PartimentoError, ReadError, RequestError
from partimento.judge.listeners import (
    ANSWERS,
    KEY,
    Preferences,
    preferences,
    preferences_text,
    read_key,
    verdict_of,
)
from partimento.judge.wins import bradley_terry, share_of, wilson_interval

Chooser = Callable[[str, str, str], str | None]


# --- numbers -------------------------------------------------------------------------------------------------------


def test_wilson_gives_the_published_intervals() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for count, of, low, high in ((81, 263, .2553, .3662), (15, 148, .0624, .1605), (0, 20, 0, .1611),
                                 (1, 29, .0061, .1718)):
        found = wilson_interval(count / of, of)
        assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))
    with pytest.raises(RequestError, match="at least one choice"):
        wilson_interval(0.5, 0)


def test_choices_that_hang_together_count_less() -> None:
    alone = share_of([1, 1, 1, 0], [0, 0, 0, 0], [0, 1, 2, 3])
    assert alone == wilson_interval(0.75, 4)
    # Ten listeners who always say the same of four pairs: residuals 10/4 thrice and −30/4; variance of the mean
    # 4/3 · (3 · 2.5² + 7.5²) / 40² = 1/16, of 40 that are independent .75 · .25 / 39: an effect of 13.
    together = share_of([1, 1, 1, 0] * 10, np.repeat(np.arange(10), 4), [0, 1, 2, 3] * 10)
    assert together == pytest.approx(wilson_interval(0.75, 40 / 13))
    assert share_of([1, 1, 1, 0] * 10).low > together.low + 0.15           # as if all forty were independent
    assert share_of([1.0] * 40, np.repeat(np.arange(10), 4), [0, 1, 2, 3] * 10) == wilson_interval(1, 10)


def test_an_interval_of_choices_that_hang_together_holds_the_truth() -> None:
    """12 listeners judge the same 20 pairs, of which some are clear: nine of ten intervals at least hold the truth."""
    rng = np.random.default_rng(0)
    held = naive = 0
    who, what = np.repeat(np.arange(12), 20), np.tile(np.arange(20), 12)
    for _ in range(300):
        chance = rng.beta(.6 * .7, .4 * .7, 20)                            # of each pair; the mean of all is .6
        said = (rng.random((12, 20)) < chance).ravel()
        found, apart = share_of(said, who, what), share_of(said)
        held += found.low <= .6 <= found.high
        naive += apart.low <= .6 <= apart.high
    assert held > .9 * 300
    assert naive < .7 * 300


def test_strengths_explain_the_wins() -> None:
    wins = np.array([[0, 7, 9, 4], [3, 0, 6, 6.5], [1, 4, 0, 5], [6, 3.5, 5, 0]])
    found = bradley_terry(wins)
    assert found.sum() == pytest.approx(0)
    table = wins + 0.5 - np.eye(4) / 2
    chance = 1 / (1 + np.exp(found[None] - found[:, None]))
    expected = (chance * (table + table.T)).sum(axis=1)                    # what a most likely strength must meet
    assert expected == pytest.approx(table.sum(axis=1), abs=1e-6)
    assert np.diff(bradley_terry([[0, 6], [2, 0]]))[0] == pytest.approx(np.log(2.5 / 6.5))
    true = np.array([.9, .1, -1.0])
    many = 1e6 / (1 + np.exp(true[None] - true[:, None])) * (1 - np.eye(3))
    assert bradley_terry(many) == pytest.approx(true, abs=1e-4)
    assert bradley_terry(np.stack([wins, wins.T]))[0] == pytest.approx(found)
    assert np.isfinite(bradley_terry([[0, 5, 5], [0, 0, 0], [0, 0, 0]])).all()
    with pytest.raises(RequestError, match="square table"):
        bradley_terry([[1, 2, 3]])


# --- answers -------------------------------------------------------------------------------------------------------


def key_of(pairs: int = 12, sets: tuple[str, ...] = ("good", "bad"), repeats: int = 2,
           anchors: int = 1) -> dict[str, Any]:
    """A key: clips of the first set have more of `order`; `noise` says nothing; real music has an `amount` of 5."""
    rng = np.random.default_rng(3)
    clips: dict[str, Any] = {}
    trials: dict[str, Any] = {}

    def clip(name: str, level: float) -> str:
        label = f"c{len(clips):02d}"
        values = {"order": level + rng.random() / 2, "noise": rng.random(),
                  "amount": 5 + (1 - level) * 2 + rng.random()}
        clips[label] = {"set": name, "piece": f"{name}-{len(clips)}", "bars": [1, 8], "gain": -3.0, "values": values}
        return label

    meetings = [(i, j) for i in range(len(sets)) for j in range(len(sets)) if i < j]
    for number in range(pairs):
        i, j = meetings[number % len(meetings)]
        both = [clip(sets[i], 1.0 - i), clip(sets[j], 1.0 - j)]
        trials[f"p{number}"] = {"kind": "pair", "clips": both if number % 2 else both[::-1]}
    for number in range(repeats):
        trials[f"r{number}"] = {"kind": "repeat", "clips": trials[f"p{number}"]["clips"][::-1]}
    for number in range(anchors):
        trials[f"a{number}"] = {"kind": "anchor", "clips": [clip(sets[0], 1.0), clip("(spoiled)", 0.0)]}
    return {"kind": KEY, "version": 1, "page": "abcd", "clips": clips, "trials": trials, "typical": {"amount": 5.0}}


def answers_to(key: dict[str, Any], listener: str, choose: Chooser) -> dict[str, Any]:
    """One listener's file: `choose` is given a trial and the sets of its two clips and returns one of them, or None."""
    rows = []
    for name, trial in key["trials"].items():
        one, other = trial["clips"]
        sets = [key["clips"][clip]["set"] for clip in (one, other)]
        said = choose(name, *sets)
        rows.append({"trial": name, "left": one if len(rows) // 2 % 2 else other, "sure": 2, "comment": "",
                     "heard": [4, 4], "seconds": 9.0,
                     "choice": None if said is None else (one, other)[sets.index(said)]})
    return {"kind": ANSWERS, "version": 1, "page": key["page"], "listener": listener, "training": "some",
            "finished": True, "answers": rows}


def taste(*order: str) -> Chooser:
    """Who always prefers the set that stands first in `order`."""
    return lambda name, one, other: min((one, other), key=(*order, "(spoiled)").index)


def test_a_duel_counted_by_hand() -> None:
    key = key_of(pairs=10)
    lost, even = ("p2", "r2"), ("p3", "p4")

    def choose(name: str, one: str, other: str) -> str | None:
        return None if name in even else "bad" if name in lost else taste("good", "bad")(name, one, other)

    said = preferences([answers_to(key, "anna", choose)], key)
    (duel,) = said.duels
    assert (duel.first, duel.second, duel.wins, duel.ties, duel.losses) == ("bad", "good", 1, 2, 7)
    assert duel.share == wilson_interval(0.2, 10)                  # a tie is half; repeats and anchors are not in
    assert said.strengths == {}
    (who,) = said.listeners
    assert who == ("anna", 13, 2, 2, 1, 1, "some", True)
    assert said.told == ()


def test_three_sets_get_strengths() -> None:
    key = key_of(pairs=30, sets=("good", "fair", "bad"))
    rng = np.random.default_rng(5)

    def choose(name: str, one: str, other: str) -> str:
        better = taste("good", "fair", "bad")(name, one, other)
        assert better
        return better if rng.random() < .8 else one if better == other else other

    said = preferences([answers_to(key, f"l{i}", choose) for i in range(6)], key)
    assert len(said.duels) == 3
    assert set(said.strengths) == {"good", "fair", "bad"}
    assert said.strengths["good"].value > said.strengths["fair"].value > said.strengths["bad"].value
    assert all(s.low < s.value < s.high for s in said.strengths.values())
    assert said.strengths["good"].low > said.strengths["bad"].high
    assert "strength (log)" in preferences_text(said)
    assert sum(s.value for s in said.strengths.values()) == pytest.approx(0)
    one = preferences([answers_to(key, "l0", choose)], key)                # one listener says less than six do
    assert np.ptp(one.strengths["good"][1:]) > np.ptp(said.strengths["good"][1:])
    few = key_of(pairs=5, sets=("good", "fair", "bad"))
    assert preferences([answers_to(few, "l0", choose)], few).strengths == {}


def test_the_interval_of_a_strength_holds_the_truth() -> None:
    """Eight listeners of 24 pairs, some of them clear: the same pairs again and again are no more than 24 pairs."""
    key = key_of(pairs=24, sets=("good", "fair", "bad"), repeats=0, anchors=0)
    true = dict(zip(("good", "fair", "bad"), (.8, 0, -.8), strict=True))
    rng, held = np.random.default_rng(4), 0
    for turn in range(15):
        tastes = {name: rng.logistic() for name in key["trials"]}           # of a pair, the same for all listeners

        def choose(name: str, one: str, other: str, tastes: dict[str, float] = tastes) -> str:
            return one if true[one] - true[other] + tastes[name] > 0 else other

        found = preferences([answers_to(key, f"l{i}", choose) for i in range(8)], key, seed=turn).strengths
        held += sum(found[name].low <= true[name] <= found[name].high for name in true)
    assert held >= .8 * 45                                                 # drawn over listeners alone: 0


def test_measures_agree_or_do_not() -> None:
    key = key_of(pairs=40)
    said = preferences([answers_to(key, f"l{i}", taste("good", "bad")) for i in range(3)], key)
    rows = {row.measure: row for row in said.agreements}
    assert set(rows) == {"order", "noise", "amount"}
    assert rows["order"].higher is not None
    assert rows["order"].higher == wilson_interval(1, 40)                  # all alike: as many as there are pairs
    few = preferences([answers_to(key, "l0", lambda name, one, other: None if name == "p0" else "good")], key)
    rows = {row.measure: row for row in few.agreements}
    assert rows["order"].answers == 39                                     # a tie says nothing of a measure
    assert rows["order"].higher == wilson_interval(1, 39)
    assert rows["order"].nearer is None                                    # nothing says what real music has of it
    assert (verdict_of(rows["order"].higher), verdict_of(rows["noise"].higher)) == ("yes", "cannot be told")
    assert verdict_of(rows["amount"].higher) == "the reverse"              # real music has less of it
    assert verdict_of(rows["amount"].nearer) == "yes"
    noise = rows["noise"].higher
    assert noise is not None
    by_hand = [key["clips"][g]["values"]["noise"] > key["clips"][b]["values"]["noise"]
               for name, trial in key["trials"].items() if trial["kind"] == "pair" and name != "p0"
               for b, g in [sorted(trial["clips"], key=lambda clip: key["clips"][clip]["set"])]]
    assert noise.value == pytest.approx(np.mean(by_hand))


def test_who_is_not_consistent_is_told_and_still_counted() -> None:
    key = key_of(pairs=4, repeats=2, anchors=2)
    same = preferences([answers_to(key, "anna", taste("good", "bad"))], key)

    def turns(name: str, one: str, other: str) -> str | None:
        return "bad" if name.startswith("r") else "good"

    def deaf(name: str, one: str, other: str) -> str | None:
        return "(spoiled)" if name.startswith("a") else "good"

    said = preferences([answers_to(key, "anna", turns), answers_to(key, "ben", deaf)], key)
    assert [row.consistent for row in said.listeners] == [False, False]
    assert "listener anna was not consistent: 0 of 2 repeated pairs" in said.told[0]
    assert "in 0 of 2" in said.told[1]
    assert said.duels[0].losses == 2 * same.duels[0].losses == 8


def test_a_habit_of_the_left_side_shows() -> None:
    key = key_of(pairs=40)
    left = answers_to(key, "anna", taste("good", "bad"))
    for row in left["answers"]:
        row["choice"] = row["left"]
    said = preferences([left], key)
    assert said.first_heard == wilson_interval(1, 40)
    fair = preferences([answers_to(key, "ben", taste("good", "bad"))], key).first_heard
    assert fair is not None
    assert fair.low < .5 < fair.high


def test_the_fuller_file_of_a_listener_counts(tmp_path: Path) -> None:
    key = key_of(pairs=4)
    full, half = answers_to(key, "anna", taste("good", "bad")), answers_to(key, "anna", taste("bad", "good"))
    half["answers"] = half["answers"][:2]
    places = [tmp_path / "half.json", tmp_path / "full.json"]
    for place, plain in zip(places, (half, full), strict=True):
        place.write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "key.json").write_text(json.dumps(key), encoding="utf-8")
    said = preferences(places, tmp_path / "key.json")
    assert len(said.listeners) == 1
    assert said.duels[0].losses == 4
    assert "half.json was left out" in said.told[0]
    assert said == preferences([half, full], read_key(key))._replace(told=said.told)


def test_it_is_json_ready_and_says_it_in_words() -> None:
    key = key_of(pairs=6)
    said = preferences([answers_to(key, "anna", taste("good", "bad"))], key)
    plain = json.loads(json.dumps(said.as_dict()))
    assert plain["duels"][0]["share"]["value"] == 0
    text = preferences_text(said)
    assert "1 listener, 9 answers" in text
    assert "nearer to real preferred" in text
    assert isinstance(said, Preferences)
    assert read_key(read_key(key).as_dict()) == read_key(key)


@pytest.mark.parametrize(("changes", "error", "said"), [
    ({"page": "other"}, RequestError, "these are to 'other'"),
    ({"answers": []}, RequestError, "this one is empty"),
    ({"kind": KEY}, ReadError, "something else"),
    ({"version": 9}, ReadError, "of version 1; this one is of 9"),
    ({"listener": ""}, ReadError, "say who listened"),
    ({"answers": {"p0": 1}}, ReadError, "hold a list"),
    ({"answers": [{"trial": "p0", "left": "c00", "choice": "c05"}]}, ReadError, "one of its two sides"),
    ({"answers": [{"trial": "p0", "left": "c00"}]}, ReadError, "one of its two sides"),
    ({"answers": [{"trial": ["p0"], "left": "c00", "choice": "c00"}]}, ReadError, "one of its two sides"),
    ({"answers": [7]}, ReadError, "one of its two sides"),
    ({"answers": [{"trial": "a0", "left": "c08", "choice": "c08"}]}, RequestError, "an answer to at least one pair")])
def test_answers_that_are_no_use(changes: dict[str, Any], error: type[PartimentoError], said: str) -> None:
    key = key_of(pairs=4)
    with pytest.raises(error, match=said):
        preferences([answers_to(key, "anna", taste("good", "bad")) | changes], key)


def test_files_that_are_damaged(tmp_path: Path) -> None:
    key = key_of(pairs=2)
    broken = tmp_path / "answers.json"
    for content in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b'"x"'):
        broken.write_bytes(content)
        with pytest.raises(ReadError, match=r"answers\.json: a file of answers"):
            preferences([broken], key)
    with pytest.raises(ReadError, match="no such file"):
        preferences([tmp_path / "none.json"], key)
    with pytest.raises(RequestError, match="got none"):
        preferences([], key)
    good = answers_to(key, "anna", taste("good", "bad"))
    for damage in ({"clips": {}}, {"trials": [1]}, {"typical": {"a": "x"}}, {"clips": {"c00": {}}}):
        with pytest.raises(ReadError, match="key of a listening page"):
            preferences([good], key | damage)
    trials = {"p0": {"kind": "joke", "clips": ["c00", "c01"]}}
    with pytest.raises(ReadError, match="every clip of its trials"):
        preferences([good], key | {"trials": trials})
