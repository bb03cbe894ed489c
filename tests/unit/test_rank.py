"""One number that says how much a piece is like real music."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from bench_modules import bench
from hypothesis import given
from hypothesis import strategies as st

from partimento import checkpoint
from partimento.errors import ModelError, RequestError
from partimento.judge import rank_orders
from partimento.judge.rank import bundled_reference, rank, rank_reference, rank_text
from partimento.judge.rank_orders import close, counterpoint, heard_piece, joins, plan, syntax
from partimento.models.base import LogProb
from partimento.models.markov import Markov
from partimento.models.random import Random
from partimento.sampling import generator
from partimento.score import Score, Track
from partimento.testing.music import small_corpus, song

# Beethoven, the tune of Schiller's ode, in D: pitches and lengths in quarters; a bass in halves under it.
A = "66 66 67 69 69 67 66 64 62 62 64 66"
A1, A2 = f"{A} 66:1.5 64:.5 64:2", f"{A.replace('64 62 62 64 66', '64 62 62 64 66')} 64:1.5 62:.5 62:2"
B = "64 64 66 62 64 66:.5 67:.5 66 62 64 66:.5 67:.5 66 64 62 64 57:2"
TUNE = f"{A1} {A2} {B} {A2}"
BASS = "50 57 50 57 50 57 50 57 " * 2 + "45 50 45 50 45 47 52 45 " + "50 57 50 57 50 55 57 50"


def line(text: str, length: float, track: int) -> list[tuple[int, int, int, int, int]]:
    rows, at = [], 0.0
    for word in text.split():
        pitch, _, said = word.partition(":")
        size = float(said or length)
        rows.append((round(480 * at), round(480 * size), int(pitch), 80, track))
        at += size
    return rows


def ode(transposed: int = 0, clock: int = 1) -> Score:
    rows = [(o * clock, d * clock, p + transposed, v, t) for o, d, p, v, t in line(TUNE, 1, 0) + line(BASS, 2, 1)]
    return Score.from_rows(rows, ticks_per_quarter=480 * clock, tracks=(Track("violin", 40), Track("cello", 42)))


class Fixed(Random):
    """Three bits for every note."""

    def log_prob(self, score: Score, blanks: Any = None, request: Any = None) -> LogProb:
        return LogProb(-3.0 * len(score) * float(np.log(2)), len(score))


# --- the orders, by hand and beside slow ones ----------------------------------------------------------------------


def test_syntax_is_what_the_stock_of_notes_costs_less_what_the_model_says() -> None:
    # gaps: 0, then three of a quarter: 0.811 bits; pitches two of two: 1 bit; lengths all alike: 0 bits
    score = Score([0, 480, 960, 1440], [480] * 4, [60, 62, 60, 62], [80] * 4, [0] * 4)
    gaps = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert syntax(heard_piece(score), Fixed()) == pytest.approx(gaps + 1 - 3)


def test_long_pieces_are_weighed_from_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_orders, "MOST_NOTES", 10)
    part = rank_orders.heard_beginning(heard_piece(ode()))
    assert part.score.n_bars == 1
    assert part.score.end == 1920
    assert len(part.onset) == len(part.score) == 6


def slow_counterpoint(lines: list[list[int]]) -> float | None:
    """The same by loops, of lines of which every note begins with every other."""
    found, expected = 0, 0.0
    for high, low in combinations(sorted(lines, key=lambda one: -float(np.mean(one))), 2):
        moves = [(high[i] - low[i], high[i + 1] - low[i + 1]) for i in range(len(high) - 1)
                 if high[i] != high[i + 1] and low[i] != low[i + 1]]
        hits = [a == b and a % 12 in (0, 7) for a, b in moves]
        kept, i = [], 0
        while i < len(moves):
            stop = i
            while stop < len(moves) and hits[stop]:
                stop += 1
            if stop - i >= 3:
                i = stop
                continue
            kept += range(i, max(stop, i + 1))
            i = max(stop, i + 1)
        pairs = [moves[i] for i in kept]
        found += sum(hits[i] for i in kept)
        for size in {a for a, _ in pairs}:
            if size % 12 in (0, 7):
                expected += sum(a == size for a, _ in pairs) * sum(b == size for _, b in pairs) / len(pairs)
    return (expected - found) / (expected + found + 1) if expected + found else None


@given(st.lists(st.lists(st.sampled_from([48, 50, 53, 55, 57, 60]), min_size=12, max_size=12), min_size=2, max_size=3))
def test_counterpoint_is_that_of_a_slow_count(lines: list[list[int]]) -> None:
    lines = [[pitch + 7 * i for pitch in one] for i, one in enumerate(lines)]
    rows = [(480 * k, 480, pitch, 80, i) for i, one in enumerate(lines) for k, pitch in enumerate(one)]
    if len({float(np.mean(one)) for one in lines}) < len(lines):
        return                                      # which line is the upper one is open
    found, slow = counterpoint(heard_piece(Score.from_rows(rows))), slow_counterpoint(lines)
    assert found == (None if slow is None else pytest.approx(slow))


def test_counterpoint_hears_parallels_a_rest_a_doubling_and_chords() -> None:
    def two(high: list[int], low: list[int], length: int = 480) -> Score:
        return Score.from_rows([(480 * k, length, p, 80, t) for t, one in enumerate((high, low))
                                for k, p in enumerate(one)])

    # intervals 12 16 24 19 19 15 16 12 12 9: of 9 moves one is a fifth after a fifth and one an octave after an octave;
    # before the moves stand three of 12, one of 24 and two of 19, after them two of 12, one of 24 and two of 19
    high, low = [72, 74, 76, 77, 79, 77, 74, 72, 74, 76], [60, 58, 52, 58, 60, 62, 58, 60, 62, 67]
    chance = (3 * 2 + 1 * 1 + 2 * 2) / 9
    assert [h - b for h, b in zip(high, low, strict=True)] == [12, 16, 24, 19, 19, 15, 16, 12, 12, 9]
    assert counterpoint(heard_piece(two(high, low))) == pytest.approx((chance - 2) / (chance + 3))
    bad = low
    assert counterpoint(heard_piece(two(high, [p - 12 for p in high]))) is None             # a doubling says nothing
    assert counterpoint(heard_piece(two(high, bad, 240))) is None                           # each note stands alone
    chords = Score.from_rows([(480 * k, 480, p + q, 80, t) for t, one in enumerate((high, bad))
                              for k, p in enumerate(one) for q in (0, 4)])
    assert counterpoint(heard_piece(chords)) is None


def bars_of(pitches: list[list[int]]) -> Score:
    """A line of bars of four quarters."""
    return Score.from_rows([(1920 * b + 480 * k, 480, p, 80, 0) for b, bar in enumerate(pitches)
                            for k, p in enumerate(bar)])


def test_joins_by_hand() -> None:
    # a bar begins where the one before it ends: steps of 0, and to any other bar of 2, 4, ...
    score = bars_of([[60, 62, 64, 62], [62, 60, 62, 64], [64, 62, 64, 66], [66, 64, 66, 67]])
    first, last = [60, 62, 64, 66], [62, 64, 66, 67]
    steps = {(i, j): abs(last[i] - first[j]) for i in range(4) for j in range(4) if i != j}
    others = list(steps.values())
    assert joins(heard_piece(score)) == pytest.approx(np.mean(others) / np.std(others))
    assert joins(heard_piece(bars_of([[60] * 4] * 5))) is None


def test_plan_is_one_where_all_returns_in_order_and_is_a_plain_correlation() -> None:
    rng = np.random.default_rng(3)
    bars = [rng.integers(55, 75, 4).tolist() for _ in range(8)]
    assert plan(heard_piece(bars_of(bars * 3))) > 0.8  # type: ignore[operator]
    mixed = [bars[i] for i in rng.permutation(np.tile(np.arange(8), 3))]
    table = np.array([[len({*enumerate(a)} & {*enumerate(b)}) / len({*enumerate(a)} | {*enumerate(b)})
                       for a in mixed] for b in mixed])
    classes = np.array([np.bincount(np.array(bar) % 12, minlength=12) for bar in mixed], float)
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    pairs = [(i, j) for i in range(23) for j in range(i + 1, 23)]
    by_hand = [np.corrcoef([m[i, j] for i, j in pairs], [m[i + 1, j + 1] for i, j in pairs])[0, 1]
               for m in (table, classes @ classes.T)]
    assert plan(heard_piece(bars_of(mixed))) == pytest.approx(sum(by_hand) / 2)      # the rhythm is the same throughout
    assert plan(heard_piece(bars_of([[60] * 4] * 6))) == 0


def test_close_by_hand() -> None:
    ending = [*[[62, 64, 65, 67]] * 3, [67, 65, 64, 62]]
    rows = [*bars_of(ending).notes().tolist(), [4 * 1920, 1920, 60, 80, 0]]
    heard = heard_piece(Score.from_rows(rows))
    assert heard.tonic == 0
    assert close(heard) == 1
    # with the long C in front, the last bar is like three others in all, and below that one in all
    turned = heard_piece(Score.from_rows([[(o + 1920) % 9600, *rest] for o, *rest in rows]))
    assert turned.tonic == 0
    assert close(turned) == pytest.approx((-1 / 4 - 1 / 4 - 1 / 4 - 1 / 4) / 4)


def test_drums_graces_words_and_performance_are_not_heard() -> None:
    score = ode()
    drums = Score.from_rows([*score.notes().tolist(), *[(480 * i, 60, 36 + i % 5, 99, 2) for i in range(128)]],
                            tracks=(*score.tracks, Track("kit", 0, True)))
    loud = score.replace(velocity=score.velocity + np.arange(len(score)) % 20, tempos=(), keys=())
    silent = score.replace(end=2 * score.end)
    shifted = score.replace(onset=score.onset + np.arange(len(score)) % 5)
    for other in (drums, loud, silent, shifted):
        assert [part.value for part in rank(other).parts] == pytest.approx([part.value for part in rank(score).parts],
                                                                           abs=1e-9)


# --- the rank ------------------------------------------------------------------------------------------------------


def test_the_clock_changes_nothing_and_transposition_next_to_nothing() -> None:
    own = rank(ode())
    assert rank(ode(clock=2)) == own
    for by in (-5, 3, 7):
        assert rank(ode(by)).value == pytest.approx(own.value, abs=0.25)
        assert [part.value for part in rank(ode(by)).parts][1:] == pytest.approx([p.value for p in own.parts][1:])


@pytest.mark.parametrize("kind", ["shuffled", "changed", "permuted", "random"])
def test_made_wrong_it_ranks_lower(kind: str) -> None:
    make = bench("corruptions").CORRUPTIONS[kind]
    own = rank(ode()).value
    wrong = [rank(make(ode(), generator(seed))).value for seed in range(10)]
    assert sum(value < own for value in wrong) >= (9 if kind in ("changed", "permuted") else 10)


@pytest.mark.parametrize("kind", ["shuffled", "changed", "permuted", "random"])
def test_a_corruption_keeps_what_it_should(kind: str) -> None:
    make, score = bench("corruptions").CORRUPTIONS[kind], ode()
    wrong = make(score, generator(4))
    assert make(score, generator(4)) == wrong != score
    assert (wrong.end, wrong.meters, wrong.tracks) == (score.end, score.meters, score.tracks)
    if kind == "shuffled":
        for track in (0, 1):
            assert sorted(wrong.pitch[wrong.track == track]) == sorted(score.pitch[score.track == track])
        assert sorted(wrong.onset) == sorted(score.onset)
    if kind == "changed":
        rows, others = ({tuple(row) for row in one.notes().tolist()} for one in (score, wrong))
        assert len(others - rows) == round(0.1 * len(score))
        assert wrong.pitch[wrong.track == 0].min() >= score.pitch[score.track == 0].min()
    if kind == "permuted":
        bars = [sorted(one.notes()[(one.onset >= t) & (one.onset < t + 1920), 2].tolist() for t in range(0, one.end,
                                                                                                         1920))
                for one in (score, wrong)]
        assert bars[0] == bars[1]


def test_one_bar_over_and_over_stands_far_below() -> None:
    dull = Score.from_rows([(480 * i, 480, 60, 80, 0) for i in range(128)])
    assert rank(dull).value < rank(ode()).value - 1


def test_the_number_is_the_mean_over_sides_of_places_in_the_reference() -> None:
    found = rank(ode())
    place = {part.name: part.place for part in found.parts}
    assert all(part.place == pytest.approx(np.clip((part.value - part.mean) / part.deviation, -5, 5))
               for part in found.parts if part.value is not None)
    form = (place["joins"] + place["plan"] + place["close"]) / 3  # type: ignore[operator]
    assert found.value == pytest.approx((place["syntax"] + place["counterpoint"] + form) / 3)  # type: ignore[operator]
    alone = rank(ode().select(ode().track == 0))
    told = {part.name: part.place for part in alone.parts}
    assert told["counterpoint"] is None
    form = (told["joins"] + told["plan"] + told["close"]) / 3  # type: ignore[operator]
    assert alone.value == pytest.approx((told["syntax"] + form) / 2)  # type: ignore[operator]
    assert json.loads(json.dumps(found.as_dict()))["value"] == found.value
    assert "counterpoint" in rank_text(found)
    assert "cannot be heard here" in rank_text(alone)


@pytest.mark.parametrize("score", [
    Score(), Score.from_rows([(0, 480, 60, 80, 0)]), ode().replace(tracks=(Track("kit", 0, True),) * 2),
    Score.from_rows([(40 * i, 40, 60 + i % 5, 80, 0) for i in range(40)])],
    ids=["empty", "one note", "drums only", "one bar"])  # fmt: skip
def test_too_little_music_is_refused_in_a_sentence(score: Score) -> None:
    with pytest.raises(RequestError, match="at least 16 pitched notes, which begin in at least 4 bars; this one has"):
        rank(score)


# --- references ----------------------------------------------------------------------------------------------------


def test_a_reference_of_ones_own() -> None:
    pieces = [song(seed, bars=12) for seed in range(14)]
    model = Markov(order=2).fit(small_corpus())
    told = rank_reference([*pieces, Score()], "songs", model, "small")
    assert (told.name, told.pieces, told.model_name, told.left_out) == ("songs", 14, "small", 1)
    assert rank_reference(pieces, "songs", model, most=11).pieces == 11
    own = [rank(piece, told).value for piece in pieces]
    assert sorted(own) == pytest.approx(list(told.ranks))
    assert sorted(rank(piece, told).above for piece in pieces) == pytest.approx([i / 14 for i in range(14)])
    values = [syntax(heard_piece(piece), model) for piece in pieces]
    assert told.orders["syntax"] == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert json.loads(json.dumps(told.as_dict()))["pieces"] == 14


def test_references_that_say_nothing_are_refused() -> None:
    with pytest.raises(RequestError, match=r"at least 10 pieces .* got 1"):
        rank_reference([ode()], model=Random())
    with pytest.raises(RequestError, match="all alike"):
        rank_reference([ode()] * 12, model=Random())
    with pytest.raises(ModelError, match="this markov model has learnt nothing"):
        rank_reference([ode()] * 12, model=Markov())


def test_the_reference_that_comes_with_the_package_is_of_the_model_that_comes_with_it() -> None:
    told = bundled_reference()
    place = checkpoint.bundled()
    assert told.model_name == f"{place.stem} {checkpoint.checkpoint_hash(place)[:12]}", \
        "the bundled model is another: run bench/rank_reference.py again"
    assert told.pieces >= 200
    assert all(low <= high for low, high in pairwise(told.ranks))
    assert np.interp(0.5, np.linspace(0, 1, len(told.ranks)), told.ranks) == pytest.approx(0, abs=0.15)
