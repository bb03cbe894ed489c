"""What a sharpened draw of the Markov family hears in the music that is kept, and keeps to."""

from itertools import pairwise

import numpy as np
import pytest

from partimento import generate, theory
from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.models.markov.harmony import Harmony, bar_chords
from partimento.models.markov.sheet import ACCOMPANIMENT, BASS, CHORDS, LEAD, Frame, roles_known, snapped
from partimento.models.markov.taste import apart, tones_at_home
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Chord, Key, Score, Track
from partimento.testing import small_corpus, song


def scale_song(bars=8):
    """A tune in G major over its chords, one a bar, with one C sharp in bar 2."""
    tune = [67, 71, 74, 71, 72, 76, 73, 72, 69, 72, 74, 78, 79, 74, 71, 67]
    chords = [(55, 59, 62), (48, 52, 55), (50, 54, 57), (55, 59, 62)]
    rows = [(480 * i, 480, tune[i % 16], 80, 0) for i in range(4 * bars)]
    rows += [(1920 * bar, 1920, pitch, 70, 1) for bar in range(bars) for pitch in chords[bar % 4]]
    return Score.from_rows(rows, keys=(Key(0, 1, "major"),), tracks=(Track("flute", 73), Track("piano")))


def test_what_belongs_to_a_bar_is_the_scale_its_own_notes_and_its_chord():
    song = scale_song()
    home = tones_at_home(song, None, [(2, 2)] + [(-1, 0)] * 7)
    assert np.flatnonzero(home[0]).tolist() == [0, 2, 4, 6, 7, 9, 11]
    assert np.flatnonzero(home[1]).tolist() == [0, 1, 2, 4, 6, 7, 9, 11]
    assert np.flatnonzero(tones_at_home(song, "D", ())[0]).tolist() == [1, 2, 4, 6, 7, 9, 11]
    chromatic = Score.from_rows([(240 * i, 240, 48 + i % 24, 80, 0) for i in range(96)])
    assert tones_at_home(chromatic, None) is None
    assert tones_at_home(chromatic.without_notes(), None) is None


def test_chords_are_heard_in_what_is_kept():
    song = scale_song()
    tonic, _, chords = bar_chords(song)
    harmony = Harmony([(0, place % 4, -1, -1, chord, 9) for place, chord in enumerate(chords)])
    assert harmony.heard(song, generator(1)) == (tonic, chords)
    assert harmony.heard(song.without_notes(), generator(1)) is None


def test_parts_added_to_a_song_keep_to_its_key():
    song = scale_song()
    noise = Score.from_rows([(240 * i, 240, 40 + i * 7 % 40, 80, i % 2) for i in range(200)],
                            tracks=(Track("flute", 73), Track("bass", 33)))
    model = Markov(order=2).fit([Piece(song, "song"), Piece(noise, "noise")])
    around = song.replace(tracks=(*song.tracks, Track("bass", 33)))
    blanks = Blanks((Region(2, 0, song.end),))
    wish = Request(top_p=.95)
    for seed in range(4):
        new, = model.fill(around, blanks, wish, [generator(seed)])
        assert len(new)
        assert {int(pitch) % 12 for pitch in new.pitch} <= {0, 1, 2, 4, 6, 7, 9, 11}
    noisy, = model.fill(around, blanks, Request(), [generator(0)])
    assert {int(pitch) % 12 for pitch in noisy.pitch} - {0, 1, 2, 4, 6, 7, 9, 11}      # as counted, it does not


BLOCKS = [(i * 480, 480, pitch, 80, 0) for i in range(8) for pitch in (48, 55, 64)]


@pytest.mark.parametrize(("rows", "second", "expected"), [
    (BLOCKS, Track("violin", 40), [ACCOMPANIMENT, LEAD]),
    (BLOCKS, Track("bass", 32), [CHORDS, BASS]),
    ([row for row in BLOCKS if row[2] == 64], Track("bass", 32), [LEAD, BASS]),
    (BLOCKS[:6], Track("bass", 32), [LEAD, BASS]),                      # too few to tell
])
def test_a_kept_track_of_chords_is_no_single_line_while_another_is_silent(rows, second, expected):
    usual = {"5 first of 2": LEAD, "4 first of 2": LEAD, "0 last of 2": BASS}    # what such tracks are as a rule
    piece = Score.from_rows(rows, tracks=(Track("piano", 0), second))
    assert roles_known(piece.tracks, snapped(piece, 12)[0], Frame(piece, 12).steps, usual) == expected


def test_going_together_in_fifths_or_octaves_is_little_liked():
    now, then = np.array([48, 48, 50, 52]), np.array([-1, 48, 48, 50])      # the other line, here and a note before
    liked = apart(128, [(now, then)], 0)
    everything = np.ones(128)
    assert np.array_equal(liked(0, ()), everything)                         # the first note
    assert np.array_equal(liked(1, (60,)), everything)                      # the other line holds its note
    assert np.array_equal(liked(2, (64, 67)), everything)                   # from a third nothing is parallel
    assert np.flatnonzero(liked(2, (60, 64)) < 1).tolist() == [62, 74, 86, 98, 110, 122]
    assert np.flatnonzero(liked(2, (55, 60)) < 1).tolist() == [57, 69, 81, 93, 105, 117]
    assert np.array_equal(liked(3, (62, 60)), everything)                   # what went in octaves before may go on
    below = apart(128, [(np.array([57, 55]), np.array([-1, 57]))], 0)(1, (50, 50))      # a fifth under one that falls
    assert np.flatnonzero(below < 1).tolist() == [pitch for pitch in range(50) if abs(pitch - 55) % 12 == 7]
    assert np.array_equal(apart(128, [(now, then)], 1)(1, (60, 64)), liked(2, (60, 64)))    # places count from there


def test_lines_beside_others_go_parallel_less_than_what_taught_them():
    """Taught octaves and tenths beside a bass, as they came, a sharpened draw goes on in octaves seldom."""
    def doubled(seed):
        rng = np.random.default_rng(seed)
        bass = 45 + np.cumsum(rng.choice([-2, -1, 1, 2], 32)) % 12
        other = bass + rng.choice([12, 16], 32)
        rows = [(480 * i, 480, int(p), 80, t) for i in range(32) for t, p in enumerate((other[i], bass[i]))]
        return Score.from_rows(rows, tracks=(Track("oboe", 68), Track("cello", 42)))

    model = Markov(order=2).fit([Piece(doubled(seed), str(seed)) for seed in range(12)])
    counts = []
    for wish in (Request(), Request(top_p=.999)):
        count = 0
        for seed in range(6):
            song = doubled(90 + seed)
            kept = song.select(song.track == 1)
            new, = model.fill(kept, Blanks((Region(0, 0, song.end),)), wish, [generator(seed)])
            upper = {int(o): int(p) for o, p in zip(new.onset, new.pitch, strict=True)}
            lower = {int(o): int(p) for o, p in zip(kept.onset, kept.pitch, strict=True)}
            apart_by = [(upper[tick] - lower[tick]) % 12 for tick in sorted(upper.keys() & lower.keys())]
            count += sum(one == other == 0 for one, other in pairwise(apart_by))
        counts.append(count)
    assert counts[1] < counts[0] / 2


def test_chord_symbols_that_stand_on_the_page_are_followed_though_nobody_asked():
    tune = song(2)
    tune = tune.select(tune.track == 0).replace(chords=tuple(
        Chord(int(tick), name) for tick, name in zip(tune.bar_starts[:-1], ("C", "F", "G7", "C") * 4, strict=False)))
    model = Markov().fit(small_corpus())
    made = generate.generate(Request(verb="harmonize", tracks=("violin", "cello"), seed=3, temperature=0.8, top_p=0.9),
                             model, source=tune)[0].score
    beats = made.select((made.track > 0) & (made.onset % made.ticks_per_quarter == 0))
    assert len(beats) > 8
    for onset, _, pitch, _, _ in beats.notes().tolist():
        (chord,) = [c for c in tune.chords if c.tick <= onset][-1:]
        assert pitch % 12 in theory.parse_chord(chord.symbol).tones


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_continuation_ends_on_the_tonic_of_what_it_goes_on_from(seed):
    model = Markov().fit(small_corpus())
    made = generate.generate(Request(verb="continue", bars=4, seed=seed, temperature=0.8, top_p=0.9), model,
                             source=scale_song(4))[0].score
    last = made.select(made.onset >= made.bar_starts[-2])
    assert set((last.pitch % 12).tolist()) <= {7, 11, 2}
    assert tones_at_home(scale_song(), None, (), True)[-1].nonzero()[0].tolist() == [2, 7, 11]
