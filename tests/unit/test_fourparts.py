"""Choices by relations and four parts under a melody: against features counted by hand, enumeration and no peeking."""

from __future__ import annotations

import importlib
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from bench_modules import bench

from partimento.errors import ModelError
from partimento.models.hmm import fourparts
from partimento.models.hmm.fourparts import CHOICES, REST, FourParts, Setting, echo_of, facts_of, symbol
from partimento.models.hmm.relations import CLASS, UNKNOWN, Choice, Relation, Symbols
from partimento.sampling import generator

FEW = Symbols(np.array([60, 62, 72, 60, 62, 72, UNKNOWN, UNKNOWN]), np.array([0, 0, 0, 1, 1, 1, 0, 1]))
RELATIONS = [Relation(), Relation(("a",)), Relation(("a", "b"), CLASS), Relation((), "p"), Relation(("b",), "p")]


def known(rng, rows):
    return {"a": rng.integers(-1, 2, rows), "b": rng.integers(0, 3, rows), "p": rng.choice([UNKNOWN, 50, 61], rows)}


def features(columns, row, s):
    """The names of the weights that a symbol takes part in at a row, relation by relation, as the docstrings say."""
    pitch, kind = int(FEW.pitch[s]), int(FEW.kind[s])
    for number, relation in enumerate(RELATIONS):
        context = tuple(int(columns[name][row]) for name in relation.columns)
        if relation.frame == "p" and columns["p"][row] < 0:
            continue
        if relation.frame == "" or pitch < 0:
            yield number, context, ("symbol", s)
        elif relation.frame == CLASS:
            yield number, context, ("class", kind, pitch % 12)
        else:
            yield number, context, ("interval", kind, pitch - int(columns["p"][row]))


def test_weights_are_where_what_came_outweighs_what_was_expected_by_their_own_price():
    rng, lean = np.random.default_rng(0), 0.7
    columns, came = known(rng, 60), rng.integers(0, 8, 60)
    model = Choice(RELATIONS, FEW, lean=lean, least=1)
    model.fit(columns, came, rounds=400)
    chances = np.exp(model.log_chances(columns))
    assert np.allclose(chances.sum(axis=1), 1)
    surplus = defaultdict(float)
    for row in range(60):
        for s in range(8):
            for name in features(columns, row, s):
                surplus[name] += float(s == came[row]) - chances[row, s]
    score = np.array([[sum(surplus[name] / lean for name in features(columns, row, s)) for s in range(8)]
                      for row in range(60)])
    again = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    assert np.abs(again - chances).max() < 0.02
    assert np.abs(chances - 1 / 8).max() > 0.2


def test_a_context_that_came_too_seldom_says_nothing():
    columns = {"a": np.array([0, 0, 0, 1])}
    model = Choice([Relation(("a",))], Symbols.labels(3), lean=0.1, least=2)
    model.fit(columns, [2, 2, 2, 0])
    found = np.exp(model.log_chances({"a": np.array([0, 1, 7])}))
    assert found[0, 2] > 0.9
    assert np.allclose(found[1:], 1 / 3)


def test_an_interval_learnt_in_one_place_holds_in_all():
    symbols = Symbols(np.arange(40, 80), np.zeros(40, np.int64))
    model = Choice([Relation((), "before")], symbols, lean=0.1)
    model.fit({"before": np.array([50, 52, 55] * 9)}, np.array([52, 54, 57] * 9) - 40)
    found = np.exp(model.log_chances({"before": np.array([60, 61, UNKNOWN])}))
    assert found[:2].argmax(axis=1).tolist() == [62 - 40, 63 - 40]
    assert np.allclose(found[0, :39], found[1, 1:], rtol=0.05)
    assert np.allclose(found[2], 1 / 40)


def test_what_cannot_be_told_apart_is_refused():
    with pytest.raises(ModelError, match="at most 5 columns"):
        Choice([Relation(tuple("abcdef"))], FEW)
    model = Choice([Relation(("a",))], FEW)
    with pytest.raises(ModelError, match=r"'a' must lie within ±2048; got 0\.\.5000"):
        model.fit({"a": np.array([0, 5000])}, [0, 1])
    with pytest.raises(ModelError, match="at least one row"):
        model.fit({"a": np.zeros(0)}, [])
    with pytest.raises(ModelError, match="at least one setting"):
        FourParts(2).fit([])
    with pytest.raises(ModelError, match=r"20\.\.95; got 96"):
        symbol(96)


# --- four parts ------------------------------------------------------------------------------------------------------


def setting(rng, beats, size=6, labels=2):
    voices = [rng.integers(0, size, beats) for _ in range(3)]
    return Setting(rng.choice([UNKNOWN, 67, 69], beats), rng.integers(0, 2, beats), rng.integers(0, labels, beats),
                   *voices)


@pytest.fixture
def few(monkeypatch):
    """Two labels and six symbols a part, so that all chords can be written out."""
    monkeypatch.setattr(fourparts, "SYMBOLS", Symbols(FEW.pitch[[0, 1, 3, 4, 6, 7]], FEW.kind[[0, 1, 3, 4, 6, 7]]))
    rng = np.random.default_rng(3)
    model = FourParts(2, lean=0.5)
    model.fit([setting(rng, 9) for _ in range(6)], rounds=30)
    return model


def test_the_chances_of_all_chords_of_a_beat_sum_to_one(few):
    piece = setting(np.random.default_rng(5), 3)
    chances = []
    for chord in itertools.product(range(2), range(6), range(6), range(6)):
        for name, value in zip(CHOICES, chord, strict=True):
            getattr(piece, name)[2] = value
        chances.append(math.exp(few.log_prob(piece)[2]))
    assert sum(chances) == pytest.approx(1, abs=1e-9)
    assert max(chances) > 3 / len(chances)


def test_nothing_written_later_is_seen_but_the_melody_is(few):
    rng = np.random.default_rng(6)
    piece = setting(rng, 12)
    before = few.log_prob(piece)
    for beat in range(12):
        other = Setting(*(column.copy() for column in piece))
        for name in CHOICES:
            getattr(other, name)[beat:] = rng.integers(0, 2, 12 - beat)
        assert np.array_equal(few.log_prob(other)[:beat], before[:beat])
    ahead = piece._replace(melody=np.append(piece.melody[:-1], 60))
    assert not np.array_equal(few.log_prob(ahead)[:-1], before[:-1])


def test_draws_come_as_often_as_they_are_likely(few):
    melody, tied = np.array([67]), np.array([0])
    drawn = [tuple(int(getattr(few.draw(melody, tied, generator(1, i)), name)[0]) for name in CHOICES)
             for i in range(200)]
    chances = {}
    for chord in itertools.product(range(2), range(6)):
        chances[chord] = sum(math.exp(few.log_prob(Setting(melody, tied, *(np.array([value]) for value in
                             (*chord, tenor, alto))))[0]) for tenor in range(6) for alto in range(6))
    for chord, chance in chances.items():
        share = sum(one[:2] == chord for one in drawn) / 200
        assert abs(share - chance) < 4 * math.sqrt(chance / 200) + 0.005
    again = few.draw(np.array([67, 69, 67]), np.array([0, 0, 1]), generator(4))
    assert all(np.array_equal(a, b) for a, b in zip(again, few.draw([67, 69, 67], [0, 0, 1], generator(4)),
                                                    strict=True))


def test_a_melody_that_was_learnt_gets_its_own_parts_back():
    melody = np.array([72, 74, 76, 77, 79, 77, 76, 74, 72])
    parts = [np.array([symbol(int(pitch) - below) for pitch in melody]) for below in (24, 9, 4)]
    piece = Setting(melody, np.zeros(9, np.int64), melody % 3, *parts)
    model = FourParts(3, lean=0.02)
    model.fit([piece] * 4)
    drawn = model.draw(melody, piece.tied, generator(2))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, piece, strict=True))
    assert model.log_prob(piece).sum() > -1


def slow_echo(piece, t):
    """The echo of one beat, sought beat by beat."""
    tune = list(zip(piece.melody.tolist(), piece.tied.tolist(), strict=True))
    chords = list(zip(piece.label.tolist(), piece.bass.tolist(), strict=True))

    def run(what, u, step, limit=4):
        length = 0
        while (length < limit and u + step * (length + 1) >= 0 and t + step * (length + 1) < len(what)
               and what[u + step * (length + 1)] == what[t + step * (length + 1)]):
            length += 1
        return length

    best, found = -1.0, (-1, 0)
    for u in range(t):
        around, harmony = run(tune, u, -1) + run(tune, u, 1), run(chords, u, -1)
        if tune[u] == tune[t] and around and around + 1.5 * harmony >= best:
            best, found = around + 1.5 * harmony, (u, 1 + min(around, 6) // 2 * 5 + harmony)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_an_echo_is_where_melody_and_harmony_agree_longest(seed):
    rng = np.random.default_rng(seed)
    piece = setting(rng, int(rng.integers(1, 40)), size=2)
    echo, likeness = echo_of(piece)
    assert list(zip(echo.tolist(), likeness.tolist(), strict=True)) == \
        [slow_echo(piece, t) for t in range(len(piece.melody))]


def test_facts_of_three_beats_by_hand():
    voices = [[symbol(48), symbol(48, held=True), symbol(55)], [symbol(55)] * 3,
              [symbol(64), symbol(UNKNOWN), symbol(62)]]
    piece = Setting(np.array([72, 74, UNKNOWN]), np.array([0, 0, 1]), np.array([1, 1, 4]), *map(np.array, voices))
    facts = facts_of(piece)
    for name, wanted in {"tone": [0, 2, -1], "melody+1": [74, -1, -2], "label-2": [-1, -1, 1], "bass:tone": [0, 0, 7],
                         "bass-1:held": [-1, 0, 1], "bass:step": [32, 0, 7], "melody>bass": [24, 26, 31],
                         "alto-1": [-2, 64, -1], "left": [2, 1, 0], "step": [32, 2, 31]}.items():
        assert facts[name].tolist() == wanted, name


def test_relations_can_be_left_out_and_every_fact_they_name_is_there():
    piece = setting(np.random.default_rng(0), 4)
    assert {fact for choice in FourParts(2).choices.values() for fact in choice.facts} <= set(facts_of(piece))
    bare = FourParts(2, without="echo")
    assert not any(fact.startswith("echo") for choice in bare.choices.values() for fact in choice.facts)
    assert symbol(UNKNOWN) == REST


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    bench("peers")
    return importlib.import_module("tables.allan_williams")


MUSIC = """Choralname = bch001
Anzahl Stimmen = 4
Tonart = D-dur
Takt = 4/4
Tempo = 100
Notentextausgabe in 16tel-Schritten:

PHRASE\tTAKT\tSOPRAN\tALT\tTENOR\tBASS\tHARMONIK

1\t\tF#1\tD 1\tA 0\tD 0\tT
\t\t\t\t\t\t
\t\tG 1\t\t\tE 0\t
\t\t\t\t\t\t
\t1\tP\tD 1\t\t\tD  7
"""


def test_beats_are_read_over_the_tonic_with_what_is_held(table, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "bch001.txt").write_text(MUSIC, encoding="latin-1")
    beats = table.read_beats(tmp_path, 1)
    assert beats == [("16:12:7:0/T", "E_1"), ("P:10:-5:-0/D__7", "P")]
    own = table.setting(beats, {"T": 0, "D__7": 1})
    assert own.melody.tolist() == [64, UNKNOWN]
    assert own.bass.tolist() == [symbol(48), symbol(48, held=True)]
    assert own.tenor.tolist() == [symbol(55), symbol(53, held=True)]


def test_a_chain_gives_what_all_its_paths_give(table):
    a, b, c, d = (f"{high}:7:4:0/T" for high in (12, 16, 19, 24))
    x, y, z = "C_2", "E_2", "G_2"
    train = [[(a, x), (b, y), (a, y)], [(b, x), (b, y)]]
    test = [[(a, y), (c, x), (b, y)]]
    lists = {"train major": train, "test major": test, "train minor": [[(d, z)]]}
    found = table.chains(lists, train, test, add=0.1, add_start=0.01)
    start, move, note = (defaultdict(float) for _ in range(3))
    for piece in train:
        start[piece[0][0]] += 1
        for chord, heard in piece:
            note[chord, heard] += 1
        for (one, _), (other, _) in itertools.pairwise(piece):
            move[one, other] += 1

    def chance(counts, given, value, values, add):
        own = [counts[(*given, v) if given else v] + add for v in values]
        return own[values.index(value)] / sum(own)

    def joint(path):
        out = chance(start, (), path[0], [a, b, c, d], 0.01)
        for one, other in itertools.pairwise(path):
            out *= chance(move, (one,), other, [a, b, c, d], 0.1)
        for chord, (_, heard) in zip(path, test[0], strict=True):
            out *= chance(note, (chord,), heard, [x, y, z], 0.1)
        return out

    every = sum(joint(path) for path in itertools.product([a, b, c, d], repeat=3))
    assert found["nats"][0] == pytest.approx(-math.log(joint([a, c, b]) / every))
    assert found["chords"] == 4


def test_the_reading_gives_the_files_of_the_authors_and_no_two_chords_are_charged_as_one(table, music):
    folder = music("allan_williams")
    assert table.encoded(folder) == 1
    beats = {beat for short in ("dur", "moll") for part in ("train", "test")
             for number in table.numbers(folder, f"{part}_{short}") for beat in table.read_beats(folder, number)}
    labels = {name: i for i, name in enumerate(sorted({chord.partition("/")[2] for chord, _ in beats}))}
    own = table.setting(sorted(beats), labels)
    assert len(set(zip(*(column.tolist() for column in own), strict=True))) == len(beats)
