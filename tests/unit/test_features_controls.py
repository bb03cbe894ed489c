"""Every control on a piece worked out by hand, what must not change it, and what must."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.controls import CONTROLS
from partimento.generate import generate
from partimento.models.random import Random
from partimento.request import Request
from partimento.score import Score, Tempo, Track

Q = 480


def piece(*rows, **frame):
    """A Score from (onset, duration, pitch) in quarters, with velocity (80) and track (0) where given."""
    full = [(*row, *(80, 0)[len(row) - 3:]) for row in rows]
    return Score.from_rows([(round(o * Q), round(d * Q), p, v, t) for o, d, p, v, t in full], **frame)


def even(*pitches):
    """Quarters one after another."""
    return piece(*((i, 1, p) for i, p in enumerate(pitches)))


BAR = [(0, 1, 60), (1, 1, 62), (2, 2, 64)]
BY_HAND = [
    ("density", piece(*((i, 1, 60) for i in range(6)), end=6 * Q), 4),               # 6 in one and a half bars
    ("density", piece((0, 1, 60), (0, 1, 64), end=16 * Q), .5),
    ("polyphony", piece((0, 2, 60), (1, 2, 64), (5, 1, 67)), 5 / 4),
    ("register", even(60, 61, 65), 62),
    ("span", even(60, 48, 67), 19),
    ("step", piece((0, 1, 72), (0, 1, 48), (1, 1, 70), (2, 1, 75)), 3.5),            # the upper line: 72 70 75
    ("note_length", piece((0, 1, 60), (1, .5, 60), (2, 3, 60)), 1.5),
    ("rests", piece((0, 2, 60), (1, 2, 64), end=8 * Q), 5 / 8),
    ("rests", piece(end=4 * Q, tracks=(Track("flute"),)), 1),
    ("syncopation", piece((0, .5, 60), (.5, 1, 62), (1.5, 1, 64), (2.5, .5, 65), (3, 1, 67)), 2 / 4),
    ("loudness", piece((0, 1, 60, 70), (1, 1, 60, 100)), 85),
    ("dynamics", piece((0, 1, 60, 70), (1, 1, 60, 100)), 15),
    ("repetition", piece(*BAR, (4, 1, 60), (5, 1, 62), (6, 2, 65)), 2 / 4),          # two of four different notes
    ("chromaticism", piece((0, 3, 60), (3, 1, 61), (4, 3, 64), (7, 1, 62)), 1 / 8),
    ("pitch_variety", even(60, 72, 60, 67, 60, 61, 62, 63), (2 + 4) / 2),
    ("rhythm_variety", piece((0, 1, 60), (1, 1, 60), (3, 1, 60)), 1),                # two lengths, as often
    ("articulation", piece((0, .5, 60), (1, 1, 60), (2, 3, 60), (3, 1, 60)), (.5 + 1 + 1) / 3),
    ("articulation", piece((0, 2, 60), (8, 1, 60)), .5),                             # of a bar, not of the whole rest
    ("swing", piece((0, .5, 60), (2 / 3, .3, 62), (1, .5, 64), (1.5, .5, 64), (2, 1, 64)), 2 ** .5),    # 2 and 1
    ("swing", piece((0, .75, 60), (.75, .25, 62), (1, .5, 64), (1.5, .5, 64), (2, 1, 64)), 1),  # dotted is no swing
    ("accents", piece((0, .5, 60, 100), (.5, .5, 60, 70), (1, .5, 60, 90), (1.5, .5, 60, 60)), 95 - 65),
    ("accents", piece((0, .5, 60, 60), (.5, .5, 60, 70)), -10),
    ("consonance", piece((0, 3, 60), (0, 2, 64), (2, 1, 61), (3, 1, 67)), 2 / 3),    # C E for 2, C C# for 1
    ("chord_changes", piece(*((i * 2, 2, p) for i, chord in enumerate(((48, 64, 67), (53, 65, 69), (55, 62, 71),
                                                                       (48, 64, 67))) for p in chord)), 3 / 2),
    ("groove", piece(*BAR, (4, 1, 50), (5, 1, 51), (6, 2, 52)), 1),
    ("groove", piece(*BAR, (4, 1, 60), (5, 1.5, 62), (6.5, 1.5, 64)), 2 / 4),
]


@pytest.mark.parametrize(("name", "score", "value"), BY_HAND, ids=[name for name, *_ in BY_HAND])
def test_by_hand(name, score, value):
    assert CONTROLS[name].measure(score, None) == pytest.approx(value)


# --- what changes nothing --------------------------------------------------------------------------------------------


def music(seed=0):
    """16 bars of two tracks in eighths and a drum track, nothing of it regular."""
    rng = np.random.default_rng(seed)
    rows = []
    for track, low, high in ((0, 55, 84), (1, 36, 60), (2, 35, 50)):
        for place in np.flatnonzero(rng.random(128) < .7).tolist():
            length = int(rng.integers(2, 8)) * 60
            late = 16 * (track == 1 and place % 2)
            rows.append((place * 240 + late, length, int(rng.integers(low, high)), int(rng.integers(50, 90)), track))
    return Score.from_rows(rows, end=18 * 4 * Q, tracks=(Track("flute", 73), Track("bass", 32), Track("kit", 0, True)))


def columns(**makers):
    """The change of a Score that gives new columns, each made of the Score."""
    return lambda score: score.replace(**{name: make(score) for name, make in makers.items()})


CHANGES = {
    "clock": columns(onset=lambda s: s.onset * 2, duration=lambda s: s.duration * 2, end=lambda s: s.end * 2,
                     ticks_per_quarter=lambda s: 960),
    "tempo": columns(tempos=lambda s: (Tempo(0, 400_000), Tempo(960, 700_000))),
    "order of tracks": columns(track=lambda s: 2 - s.track, tracks=lambda s: s.tracks[::-1]),
    "instruments": columns(tracks=lambda s: tuple(t._replace(program=40, name="x") for t in s.tracks)),
    "higher": columns(pitch=lambda s: s.pitch + 5),
    "louder": columns(velocity=lambda s: s.velocity + 10),
    "contrast": columns(velocity=lambda s: (s.velocity - 45) * 2),
    "shorter": columns(duration=lambda s: s.duration // 2),
    "on every third": lambda s: s.select(np.arange(len(s)) % 3 == 0),
    "octaves": columns(pitch=lambda s: s.pitch + np.where(np.arange(len(s)) % 2, 12, 0)),
    "inflected": columns(pitch=lambda s: s.pitch // 12 * 12 + np.array([0, 2, 4, 5, 7, 9, 11])[s.pitch % 7]),
    "over the beats": lambda s: s.select((s.onset % Q != 0) | (s.onset % (4 * Q) == 0)),
    "nothing but thirds": columns(pitch=lambda s: 60 + s.pitch % 2 * 4),
    "swung": columns(onset=lambda s: s.onset + np.where(s.onset % Q == 240, 80, 0)),
    "one bar again and again": lambda s: s.with_rows(np.concatenate([
        s.notes()[s.onset < 4 * Q] + np.array([bar * 4 * Q, 0, 0, 0, 0]) for bar in range(16)])),
}
NEUTRAL = ("clock", "tempo", "order of tracks", "instruments")
# What must raise (+) or lower (−) each control, and what more than the clock and its like must leave it alone.
REACTS = {
    "density": ("-on every third", "higher louder contrast shorter octaves swung"),
    "polyphony": ("-shorter", "higher louder contrast octaves"),
    "register": ("+higher", "louder contrast shorter swung"),
    "span": ("+octaves", "higher louder contrast shorter swung"),
    "step": ("+octaves", "higher louder contrast shorter swung"),
    "note_length": ("-shorter", "higher louder contrast octaves swung"),
    "rests": ("+shorter", "higher louder contrast octaves"),
    "syncopation": ("+over the beats", "higher louder contrast shorter octaves"),
    "loudness": ("+louder", "higher shorter octaves swung"),
    "dynamics": ("+contrast", "higher louder shorter octaves swung"),
    "repetition": ("+one bar again and again", "higher louder contrast shorter swung"),
    "chromaticism": ("-inflected", "higher louder contrast shorter octaves"),
    "pitch_variety": ("-inflected", "higher louder contrast shorter octaves swung"),
    "rhythm_variety": ("+swung", "higher louder contrast shorter octaves"),
    "articulation": ("-shorter", "higher louder contrast octaves"),
    "swing": ("+swung", "higher louder contrast shorter octaves"),
    "accents": ("+contrast", "higher louder shorter octaves swung"),
    "groove": ("+one bar again and again", "higher louder contrast shorter octaves swung"),
    "consonance": ("+nothing but thirds", "higher louder contrast octaves"),
    "chord_changes": ("-nothing but thirds", "higher louder contrast"),
}


def test_no_control_is_without_its_tests():
    assert {name for name, *_ in BY_HAND} == set(CONTROLS)
    assert set(REACTS) == set(CONTROLS)
    assert {change for _, more in REACTS.values() for change in more.split()} <= set(CHANGES)


@pytest.mark.parametrize("name", REACTS)
def test_what_leaves_a_control_alone(name):
    score = music()
    value = CONTROLS[name].measure(score, None)
    assert value is not None
    for change in (*NEUTRAL, *REACTS[name][1].split()):
        assert CONTROLS[name].measure(CHANGES[change](score), None) == pytest.approx(value), change


@pytest.mark.parametrize("name", REACTS)
def test_what_moves_a_control(name):
    score, change = music(), REACTS[name][0]
    if name == "accents":               # there must be some to make more of
        score = score.replace(velocity=score.velocity + np.where(score.onset % Q == 0, 10, 0))
    value, moved = (CONTROLS[name].measure(s, None) for s in (score, CHANGES[change[1:]](score)))
    assert (moved - value) * (1 if change[0] == "+" else -1) > CONTROLS[name].tolerance


@pytest.mark.parametrize("name", REACTS)
def test_a_track_is_measured_as_if_it_were_alone(name):
    score = music()
    alone = score.select(score.track == 1)
    assert CONTROLS[name].measure(score, 1) == pytest.approx(CONTROLS[name].measure(alone, None))
    assert CONTROLS[name].measure(score, 1) != CONTROLS[name].measure(score, None)


# --- in generation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REACTS)
def test_the_best_of_many_is_nearer_to_the_wish(name):
    model, control = Random(), CONTROLS[name]
    off = {1: 0.0, 12: 0.0}
    for seed, share in ((1, .3), (2, .7)):
        aim = round(control.low + share * (control.high - control.low), 2)
        for tries in off:
            wish = Request(bars=4, targets={name: aim}, seed=seed, tries=tries)
            result = generate(wish, model)[0]
            got = control.measure(result.score, None)
            row = next(row for row in result.rows if row.name == name)
            assert row.got == ("not measurable" if got is None else f"{got:.3g}")
            off[tries] += 1e9 if got is None else abs(got - aim)
    assert off[12] < off[1]
