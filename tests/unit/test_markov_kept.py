"""What a sharpened draw of the Markov family hears in the music that is kept, and keeps to."""

import numpy as np

from partimento.models.base import Piece
from partimento.models.markov import Markov
from partimento.models.markov.harmony import Harmony, bar_chords
from partimento.models.markov.taste import tones_at_home
from partimento.request import Blanks, Region, Request
from partimento.sampling import generator
from partimento.score import Key, Score, Track


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
