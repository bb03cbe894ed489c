"""RomanChord and part-writing of the rules family: numerals, the grammar, voices, given melodies."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partimento import theory
from partimento.errors import ModelError
from partimento.formats import read
from partimento.models.rules import grammar, voicing
from partimento.models.rules.chorale import VOICES, Chorale, harmonise, melody_key, melody_line
from partimento.models.rules.degrees import DegreeChain, degree_chain
from partimento.models.rules.grammar import harmony_table, merged, near_keys, progression
from partimento.models.rules.plan import (
    Phrase,
    Slot,
    bar_slots,
    chord_of_symbol,
    numeral,
    roman_chord,
    symbol_for,
)
from partimento.models.rules.voicing import VoicePart, page_cost, reasons, voice, voice_leading_table
from partimento.score import Chord, Key, Mark, Meter, Score, Track

FOUR = (VoicePart("soprano", 60, 79), VoicePart("alto", 55, 74), VoicePart("tenor", 48, 67), VoicePart("bass", 40, 60))
BARS = list(range(0, 33 * 1920, 1920))


# --- numerals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degree", "mode", "pitches", "bass", "symbol"), [
    ("I", "major", (0, 4, 7), 0, "C"),
    ("ii65", "major", (2, 5, 9, 0), 5, "Dm7/F"),
    ("V42", "major", (7, 11, 2, 5), 5, "G7/F"),
    ("IVmaj7", "major", (5, 9, 0, 4), 5, "Fmaj7"),
    ("vii°6", "major", (11, 2, 5), 2, "Bdim/D"),
    ("viiø7", "major", (11, 2, 5, 9), 11, "Bm7b5"),
    ("V65/V", "major", (2, 6, 9, 0), 6, "D7/F#"),
    ("vii°7/vi", "major", (8, 11, 2, 5), 8, "G#dim7"),
    ("bVII", "major", (10, 2, 5), 10, "Bb"),
    ("V", "minor", (7, 11, 2), 7, "G"),
    ("v6", "minor", (7, 10, 2), 10, "Gm/Bb"),
    ("VI", "minor", (8, 0, 3), 8, "Ab"),
    ("III+", "minor", (3, 7, 11), 3, "Ebaug"),
    ("bII6", "minor", (1, 5, 8), 5, "Db/F"),
    ("N6", "minor", (1, 5, 8), 5, "Db/F"),
    ("Ger6", "minor", (8, 0, 3, 6), 8, "Ab7"),
])  # fmt: skip
def test_a_numeral_says_its_chord(degree: str, mode: str, pitches: tuple[int, ...], bass: int, symbol: str) -> None:
    said = numeral(degree, mode)
    assert (said.pitches, said.bass) == (pitches, bass)
    assert symbol_for(roman_chord(0, 1, 0, mode, degree)) == symbol


def test_a_symbol_holds_what_its_harmony_holds_in_every_key() -> None:
    for mode in ("major", "minor"):
        for base, row in harmony_table()[mode].items():
            own, stroke, target = base.partition("/")
            for figure, tonic in itertools.product(row["figures"], range(12)):
                harmony = roman_chord(0, 1, tonic, mode, f"{own}{figure}{stroke}{target}")
                name = theory.parse_chord(symbol_for(harmony))
                assert (name.root, name.tones, name.bass) == (harmony.root, frozenset(harmony.pitches), harmony.bass)
                back = chord_of_symbol(0, 1, tonic, mode, symbol_for(harmony))
                assert back is not None
                assert set(back.pitches) == set(harmony.pitches)
                assert back.bass == harmony.bass


@pytest.mark.parametrize("degree", ["", "H", "V8", "V/", "iV", "ii65/"])
def test_what_is_no_numeral_is_refused(degree: str) -> None:
    with pytest.raises(ModelError, match="Roman numeral"):
        numeral(degree)


def test_leading_tones_are_known() -> None:
    assert numeral("V7").leading == 11
    assert numeral("V").home == 0
    assert numeral("V65/V").leading == 6
    assert numeral("V65/V").home == 7
    assert numeral("vii°7", "minor").leading == 11
    assert numeral("v6", "minor").leading == -1
    assert numeral("I").leading == -1


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_row_of_the_table_names_rows_and_says_its_rule() -> None:
    table = harmony_table()
    for mode in ("major", "minor"):
        for base, row in table[mode].items():
            assert row["rule"].strip(), base
            assert set(row["next"]) <= set(table[mode]), base
            assert all(weight > 0 for weight in [*row["next"].values(), *row["figures"].values()]), base
        assert {numeral(name, mode).function for name in table["opening"][mode]} <= {"T", "S", "D"}
    for rows in (table["steps"], table["cadences"], voice_leading_table()["rules"]):
        assert all(row["rule"].strip() for row in rows.values())
    assert all(row["rule"].strip() for mode in ("major", "minor") for row in table["keys"][mode])


def test_near_keys_that_are_not_rare_differ_by_one_sign_at_most() -> None:
    for tonic, mode in itertools.product(range(12), ("major", "minor")):
        home = theory.fifths(tonic, mode)
        for near, other, weight in near_keys(tonic, mode):
            if weight < 0.05:
                continue
            assert (theory.fifths(near, other) - home + 6) % 12 - 6 in (-1, 0, 1)


# --- the grammar --------------------------------------------------------------------------------------------------


def small_chain() -> tuple[DegreeChain, np.ndarray, grammar._Moves]:
    phrases = [Phrase("A", 0, 3, "PAC")]
    slots = bar_slots(phrases, BARS)
    text = json.dumps(harmony_table())
    chain = degree_chain(text, ((0, "major"),))
    return (chain, grammar._scores(chain, harmony_table(), phrases, slots, None, [None] * 3),
            grammar._Moves(chain, harmony_table(), phrases, slots, None))


def test_the_best_path_is_the_best_of_all() -> None:
    chain, scores, moves = small_chain()
    first = scores[0] + chain.start
    every = first[:, None, None] + moves[0][:, :, None] + scores[1][:, None] + moves[1][None] + scores[2]
    assert tuple(grammar._solve(scores, moves, chain, None, 1.0)) == np.unravel_index(every.argmax(), every.shape)


def test_drawn_paths_come_as_often_as_they_weigh() -> None:
    chain, scores, moves = small_chain()
    first = scores[0] + chain.start
    every = first[:, None, None] + moves[0][:, :, None] + scores[1][:, None] + moves[1][None] + scores[2]
    chances = np.exp((every - every.max()) / 0.7)
    chances /= chances.sum()
    rng, n = np.random.default_rng(1), 2000
    seen = Counter(tuple(grammar._solve(scores, moves, chain, rng, 0.7)) for _ in range(n))
    for path, count in seen.most_common(8):
        expected = n * float(chances[path])
        assert abs(count - expected) < 5 * np.sqrt(expected) + 1


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize(("cadence", "ends"), [
    ("PAC", {("V", "I"), ("V7", "I"), ("V", "i"), ("V7", "i")}), ("HC", None), ("PC", {("IV", "I"), ("iv", "i")}),
    ("DC", {("V", "vi"), ("V7", "vi"), ("V", "VI"), ("V7", "VI")}),
])  # fmt: skip
def test_phrases_close_as_they_are_asked_to(mode: str, cadence: str, ends: set[tuple[str, str]] | None) -> None:
    phrases = [Phrase("A", 0, 4, "HC", 2, mode), Phrase("B", 4, 4, cadence, 2, mode)]
    slots = bar_slots(phrases, BARS, 2)
    for seed in range(8):
        degrees = [h.degree for h in progression(phrases, slots, rng=np.random.default_rng(seed), temperature=0.8)]
        assert degrees[6:8] == ["V", "V"]
        assert degrees[14] == degrees[15]
        if ends is None:
            assert degrees[14] == "V"
            assert degrees[13] != "V"
        else:
            assert (degrees[13], degrees[14]) in ends


def test_a_modulation_closes_in_its_key_and_comes_by_a_chord_of_both() -> None:
    phrases = [Phrase("A", 0, 4, "PAC", 0, "major"), Phrase("B", 4, 4, "PAC", 7, "major"),
               Phrase("A", 8, 4, "PAC", 0, "major")]
    slots = bar_slots(phrases, BARS, 2)
    for seed in range(8):
        made = progression(phrases, slots, rng=np.random.default_rng(seed), temperature=0.8)
        assert [(h.tonic, h.degree) for h in made[14:16]] == [(7, "I")] * 2
        assert {h.tonic for h in made[:8]} == {0}
        for one, two in itertools.pairwise(made[8:16]):
            if one.tonic != two.tonic:
                assert set(one.pitches) <= set(theory.scale(7)) & set(theory.scale(0))


def test_in_minor_dominants_that_close_have_the_leading_tone() -> None:
    phrases = [Phrase("A", 0, 8, "PAC", 9, "minor")]
    slots = bar_slots(phrases, BARS, 2)
    for seed in range(10):
        made = progression(phrases, slots, rng=np.random.default_rng(seed), temperature=1.0)
        assert 8 in made[13].pitches                      # the chord before the arrival
        for one, two in itertools.pairwise(made):
            if two.degree == "i" and one.degree.startswith(("v6", "VII")):
                assert not one.degree.startswith("v6")


def test_chords_given_stand() -> None:
    phrases = [Phrase("A", 0, 4, "PAC")]
    chords = theory.place_chords(theory.parse_chords("C Ebmaj7 G7/D C6", 4), BARS[:5])
    made = progression(phrases, bar_slots(phrases, BARS), given=chords, rng=np.random.default_rng(3))
    assert [symbol_for(h) for h in made] == ["C", "Ebmaj7", "G7/D", "C6"]


def test_chords_given_for_some_bars_are_led_to() -> None:
    phrases = [Phrase("A", 0, 4, "PAC")]
    made = progression(phrases, bar_slots(phrases, BARS), given=[Chord(0, "N"), Chord(1920, "Dm"), Chord(3840, "N")])
    assert made[1].degree == "ii"
    assert made[2].degree in ("V", "V7")


def test_a_phrase_that_repeats_takes_its_chords_up_to_its_own_cadence() -> None:
    phrases = [Phrase("A", 0, 4, "HC"), Phrase("A'", 4, 4, "PAC", repeats=0), Phrase("A", 8, 4, "HC", repeats=0)]
    slots = bar_slots(phrases, BARS, 2)
    for seed in range(6):
        made = progression(phrases, slots, rng=np.random.default_rng(seed), temperature=1.0)
        first, second, third = (made[8 * k:8 * k + 8] for k in range(3))
        assert [(h.pitches, h.bass) for h in first[:4]] == [(h.pitches, h.bass) for h in second[:4]]
        assert [h.pitches for h in first] == [h.pitches for h in third]
        assert second[7].degree == "I"


def test_a_style_may_change_rows() -> None:
    table = merged(harmony_table(), {"major": {"I": {"next": {"ii": 1000}}, "iii": None}})
    made = progression([Phrase("A", 0, 4, "HC")], bar_slots([Phrase("A", 0, 4, "HC")], BARS), table=table)
    assert made[1].degree.startswith("ii")
    assert "iii" in harmony_table()["major"]


def test_without_slots_there_is_no_progression() -> None:
    with pytest.raises(ModelError, match="at least one phrase and one slot"):
        progression([Phrase("A", 0, 4)], [])


# --- voices -------------------------------------------------------------------------------------------------------


def test_a_hand_worked_cadence() -> None:
    """D7 to G under F#5: the leading tone rises, the seventh falls, the bass goes from root to root."""
    chords = [roman_chord(0, 1, 7, "major", "V7"), roman_chord(1, 2, 7, "major", "I")]
    rows = voice(chords, FOUR, {0: [(66, 66), (67, 67)]})
    assert rows[:, 0].tolist() == [66, 67]
    seventh = [v for v in range(4) if rows[0, v] % 12 == 0]
    assert [rows[1, v] - rows[0, v] for v in seventh] == [-1]
    assert rows[0, 3] % 12 == 2
    assert rows[1, 3] % 12 == 7
    assert {int(p) % 12 for p in rows[0]} == {2, 6, 9, 0} or page_cost(chords, rows, FOUR) < 20


def test_parallels_by_hand_are_told() -> None:
    chords = [roman_chord(0, 1, 0, "major", "I"), roman_chord(1, 2, 0, "major", "ii")]
    rows = np.array([[72, 67, 64, 48], [74, 69, 65, 50]])
    told, rivals = reasons(chords, rows, 1, 1, FOUR)
    assert {"fifths", "octaves"} <= {said.name for said in told}
    assert "no two voices move in parallel fifths" in {said.rule for said in told}
    assert rivals[0][1] < 0                                 # another tone would cost less
    assert all(pitch % 12 in (2, 5, 9) and pitch != 69 for pitch, _, _ in rivals)


@pytest.mark.parametrize("degrees", [("I", "V6", "I"), ("ii65", "V7", "I"), ("IV", "V42", "I6")])
def test_the_page_is_the_cheapest_of_all(degrees: tuple[str, ...]) -> None:
    parts = (VoicePart("one", 67, 76), VoicePart("two", 60, 67), VoicePart("three", 47, 57))
    chords = [roman_chord(k, k + 1, 0, "major", degree) for k, degree in enumerate(degrees)]
    every = [[row for row in itertools.product(*(
        [p for p in range(part.low, part.high + 1) if p % 12 in ((chord.bass,) if part is parts[-1] else chord.pitches)]
        for part in parts)) if row[0] >= row[1] >= row[2] and row[0] - row[1] <= 12] for chord in chords]
    best = min(page_cost(chords, np.array(page), parts) for page in itertools.product(*every))
    assert page_cost(chords, voice(chords, parts), parts) == pytest.approx(best)


def test_dropping_what_cannot_win_never_loses_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    phrases = [Phrase("A", 0, 8, "PAC", 2, "minor")]
    for seed in range(4):
        chords = progression(phrases, bar_slots(phrases, BARS), rng=np.random.default_rng(seed))
        monkeypatch.setattr(voicing, "MANY", 10**9)
        whole = page_cost(chords, voice(chords, FOUR), FOUR)
        monkeypatch.setattr(voicing, "MANY", 0)
        monkeypatch.setattr(voicing, "BEAM", 12)
        assert page_cost(chords, voice(chords, FOUR), FOUR) == pytest.approx(whole)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_pages_of_all_sizes_keep_ranges_and_make_no_parallels(count: int) -> None:
    parts = [VoicePart("1", 60, 81), VoicePart("2", 57, 76), VoicePart("3", 53, 72), VoicePart("4", 48, 67),
             VoicePart("5", 40, 60)]
    own = [parts[0], *parts[len(parts) - count + 1:]]
    phrases = [Phrase("A", 0, 4, "HC", 9, "minor"), Phrase("B", 4, 4, "PAC", 9, "minor")]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        chords = progression(phrases, bar_slots(phrases, BARS), rng=rng)
        rows = voice(chords, own, rng=rng)
        for part, line in zip(own, rows.T, strict=True):
            assert part.low <= line.min()
            assert line.max() <= part.high
        assert (rows[:, -1] % 12 == [chord.bass for chord in chords]).all()
        assert not parallels([[(t, t + 1, int(p)) for t, p in enumerate(line)] for line in rows.T])


def test_a_page_must_have_two_to_six_parts_with_room() -> None:
    chord = [roman_chord(0, 1, 0, "major", "I")]
    with pytest.raises(ModelError, match="2 to 6 parts; got 1"):
        voice(chord, FOUR[:1])
    with pytest.raises(ModelError, match="room for a tone of every chord"):
        voice(chord, [FOUR[0], VoicePart("bass", 49, 49)])
    assert voice([], FOUR).shape == (0, 4)


# --- given melodies -----------------------------------------------------------------------------------------------


def tune(pitches: list[int], lengths: list[int] | None = None, *, meter: Meter | None = None,
         **frame: object) -> Score:  # fmt: skip
    lengths = [480] * len(pitches) if lengths is None else lengths
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    rows = [(a, d, p, 80, 0) for a, d, p in zip(starts, lengths, pitches, strict=True)]
    return Score.from_rows(rows, meters=(meter or Meter(0, 4, 4),), tracks=(Track("tune"),), **frame)


def lines_of(score: Score) -> list[list[tuple[int, int, int]]]:
    return [[(int(a), int(b), int(p)) for a, b, p in zip(score.onset[own], score.offset[own], score.pitch[own],
                                                         strict=True)]
            for own in (score.track == t for t in range(len(score.tracks)))]


def parallels(lines: list[list[tuple[int, int, int]]]) -> list[tuple[int, int, int]]:
    """Where two lines strike together and go from fifth to fifth or from octave to octave: (tick, one, other)."""
    found = []
    for (i, one), (j, two) in itertools.combinations(enumerate(lines), 2):
        before = [{now[0]: last for last, now in itertools.pairwise(line) if last[1] >= now[0]} for line in (one, two)]
        now = [{note[0]: note for note in line} for line in (one, two)]
        for tick in sorted(set(before[0]) & set(before[1])):
            apart = [abs(table[0][tick][2] - table[1][tick][2]) % 12 for table in (before, now)]
            moves = [now[k][tick][2] - before[k][tick][2] for k in (0, 1)]
            if moves[0] * moves[1] > 0 and apart[0] == apart[1] and apart[0] in (0, 7):
                found.append((tick, i, j))
    return found


def holds(made: Chorale, given_tune: Score) -> None:
    """The melody is as it was, ranges are kept where voices are free, nothing moves in parallel."""
    melody = made.score.select(made.score.track == 0)
    assert melody.notes().tolist() == given_tune.select(given_tune.track == 0).notes().tolist()
    lines = lines_of(made.score)
    for line in lines[1:]:
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(line))
    assert not parallels(lines)


def test_a_psalm_tune_by_hand() -> None:
    """Old 100th, first two lines: the pages close with a dominant and a tonic, or a half cadence, at each fermata."""
    pitches = [67, 67, 66, 64, 62, 67, 69, 71, 71, 71, 71, 69, 67, 72, 71, 69]
    marks = (Mark(7 * 480, "fermata"), Mark(15 * 480, "fermata"))
    old = tune(pitches, keys=(Key(0, 1, "major"),), marks=marks, end=16 * 480)
    made = harmonise(old)
    holds(made, old)
    assert melody_key(old, melody_line(old, 0)) == (7, "major")
    ends = [t for t, slot in enumerate(made.slots) if slot.arrival]
    assert [made.slots[t].start for t in ends] == [7 * 480, 15 * 480]
    assert made.harmonies[ends[0]].degree in ("I", "i")
    assert made.harmonies[ends[1]].degree in ("V", "I")
    assert made.score.tracks[3].name == "bass"


@given(st.lists(st.tuples(st.integers(-9, 9), st.sampled_from([240, 480, 480, 960])), min_size=1, max_size=14),
       st.sampled_from([Meter(0, 4, 4), Meter(0, 3, 4), Meter(0, 6, 8), Meter(0, 2, 2), Meter(0, 5, 8)]),
       st.integers(0, 50))  # fmt: skip
def test_any_melody_gets_a_page(notes: list[tuple[int, int]], meter: Meter, seed: int) -> None:
    pitches = list(itertools.accumulate((step for step, _ in notes), lambda p, step: min(max(p + step, 60), 79),
                                        initial=69))[1:]
    line = tune(pitches, [d for _, d in notes], meter=meter)
    made = harmonise(line, rng=np.random.default_rng(seed))
    holds(made, line)
    for part, voice_line in zip(VOICES[1:], lines_of(made.score)[1:], strict=True):
        assert all(part.low <= p <= part.high for _, _, p in voice_line)
    again = harmonise(line, rng=np.random.default_rng(seed))
    assert again.score == made.score


def test_rests_are_rests_of_all() -> None:
    rows = [(0, 480, 67, 80, 0), (480, 480, 69, 80, 0), (1920, 480, 71, 80, 0), (2400, 1440, 72, 80, 0)]
    line = Score.from_rows(rows, tracks=(Track("tune"),))
    made = harmonise(line)
    holds(made, line)
    assert not ((made.score.onset < 1920) & (made.score.offset > 960)).any()


def test_one_note_is_a_chord_of_its_key() -> None:
    made = harmonise(tune([67], [1920]))
    assert [h.degree for h in made.harmonies] == ["I"]
    assert len(made.score) == 4


def test_a_low_melody_moves_the_parts_with_it() -> None:
    line = tune([55, 57, 59, 60, 55, 53, 50, 48])
    made = harmonise(line)
    holds(made, line)
    assert made.score.pitch.min() < 48


def test_melodies_that_are_none_are_refused() -> None:
    empty = Score(tracks=(Track("a"), Track("kit", 0, True)), end=1920)
    with pytest.raises(ModelError, match="no notes"):
        harmonise(empty)
    with pytest.raises(ModelError, match="drum kit"):
        harmonise(empty, 1)
    with pytest.raises(ModelError, match="tracks 0 to 1; got 5"):
        harmonise(empty, 5)
    chords = Score.from_rows([(480 * t, 480, p, 80, 0) for t in range(4) for p in (60, 64, 67)])
    with pytest.raises(ModelError, match="must be one line"):
        harmonise(chords)
    with pytest.raises(ModelError, match="room below it"):
        harmonise(tune([20, 22, 23, 24]))


def test_chords_given_under_a_melody_stand() -> None:
    line = tune([67, 67, 69, 69, 67, 65, 64, 62, 64, 62, 60, 60])
    chords = theory.place_chords(theory.parse_chords("C | F C | C", 3), [0, 1920, 3840, 5760])
    made = harmonise(line, given=chords)
    at = {slot.start: symbol_for(h) for slot, h in zip(made.slots, made.harmonies, strict=True)}
    assert at[0] == "C"
    assert at[1920] == "F"
    assert at[2880] == "C"


def test_figures_are_light_and_said() -> None:
    line = tune([72, 71, 69, 67, 65, 64, 62, 60] * 2)
    made = harmonise(line, rng=np.random.default_rng(2))
    plain = harmonise(line, rng=np.random.default_rng(2), chances={})
    assert made.figures
    assert not plain.figures
    assert {kind for _, _, kind in made.figures} <= {"passing", "neighbour", "suspension"}


def test_bach_melodies_have_no_parallels_and_close_at_their_fermatas(music: Callable[[str], Path]) -> None:
    for path in sorted(music("chorale_melodies").glob("*.krn"))[:40:10]:
        score = read(path)
        own = score.select(score.track == 0)
        made = harmonise(own, rng=np.random.default_rng(0))
        holds(made, own)
        for t, slot in enumerate(made.slots):
            if slot.arrival and t and made.slots[t - 1].phrase == slot.phrase:
                assert made.harmonies[t].degree in ("I", "i", "V", "vi", "VI")


def test_a_slot_is_a_plain_row() -> None:
    assert Slot(0, 480) == (0, 480, 1.0, 0, False)
