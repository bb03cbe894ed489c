"""What is played of a written page: the order of bars, state at the seams, grace notes in time."""

from __future__ import annotations

import numpy as np
import pytest

from partimento.notation.play import order_of_bars, played
from partimento.score import Chord, Key, Mark, Meter, Score, Tempo, Text

BAR = 1920


def page(bars: int, *signs: tuple[int, str]) -> Score:
    """A whole note a bar, pitch 60 and up, with repeat signs at the beginnings of bars (from 0)."""
    return Score(onset=np.arange(bars) * BAR, duration=np.full(bars, BAR), pitch=60 + np.arange(bars),
                 velocity=np.full(bars, 80), track=np.zeros(bars, int),
                 marks=tuple(Mark(bar * BAR, "repeat", text) for bar, text in signs))


@pytest.mark.parametrize(("bars", "signs", "order"), [
    (2, [], "01"),
    (2, [(2, "end")], "0101"),
    (3, [(1, "start"), (2, "end 3")], "01112"),
    (4, [(2, "end"), (2, "start"), (4, "end")], "01012323"),
    (3, [(1, "ending 1"), (2, "end"), (2, "ending stop"), (2, "ending 2"), (3, "ending open")], "0102"),
    (4, [(1, "ending 1,2"), (2, "end"), (2, "ending stop"), (2, "ending 3"), (3, "ending stop")], "0101023"),
    (5, [(1, "start"), (2, "ending 1"), (3, "end"), (3, "ending stop"), (3, "ending 2"), (4, "ending stop")],
     "012134"),
    (3, [(2, "fine"), (3, "da capo al fine")], "01201"),
    (3, [(3, "da capo")], "012012"),
    (4, [(1, "segno"), (2, "to coda"), (3, "dal segno al coda"), (3, "coda")], "01213"),
    (4, [(1, "segno"), (3, "fine"), (4, "dal segno al fine")], "012312"),
    (3, [(2, "end"), (3, "da capo")], "01012012"),
    (4, [(1, "ending 1"), (2, "end"), (2, "ending stop"), (2, "ending 2"), (3, "ending open"), (3, "fine"),
         (4, "da capo al fine")], "0102302"),
    (2, [(1, "end"), (2, "end")], "0011"),
    (2, [(1, "start")], "01"),
])
def test_order(bars: int, signs: list[tuple[int, str]], order: str) -> None:
    score = page(bars, *signs)
    assert "".join(str(bar) for bar, _ in order_of_bars(score)) == order
    assert played(score).pitch.tolist() == [60 + int(bar) for bar in order]


def test_signs_that_never_end_are_left_unplayed() -> None:
    score = page(2, (2, "end 99"))
    assert played(score).pitch.tolist() == [60, 61]


def test_what_ruled_before_the_sign_rules_again() -> None:
    score = page(4, (0, "start"), (4, "end")).replace(
        meters=(Meter(0, 4, 4), Meter(BAR, 2, 4), Meter(BAR + 960, 2, 4), Meter(2 * BAR, 4, 4)),
        keys=(Key(0, 0), Key(2 * BAR, 2)), tempos=(Tempo(0, 500_000), Tempo(2 * BAR, 400_000)),
        chords=(Chord(0, "C"), Chord(3 * BAR, "G")), texts=(Text(0, -1, "title", "T"), Text(0, 0, "words", "dolce")))
    out = played(score)
    assert list(out.keys) == [Key(0, 0), Key(2 * BAR, 2), Key(4 * BAR, 0), Key(6 * BAR, 2)]
    assert [t.us_per_quarter for t in out.tempos] == [500_000, 400_000, 500_000, 400_000]
    assert [c.symbol for c in out.chords] == ["C", "G", "C", "G"]
    assert [t.kind for t in out.texts] == ["title", "words", "words"]
    assert out.bar_starts.tolist()[:6] == [0, BAR, BAR + 960, 2 * BAR, 3 * BAR, 4 * BAR]
    assert out.end == 8 * BAR


def test_the_second_verse_is_sung_the_second_time() -> None:
    score = page(1, (1, "end")).replace(texts=(Text(0, 0, "lyric", "one"), Text(0, 0, "lyric 2", "two")))
    assert [(t.tick, t.kind, t.text) for t in played(score).texts] == [(0, "lyric", "one"), (BAR, "lyric", "two")]


def test_a_note_does_not_ring_over_a_jump() -> None:
    score = Score(onset=[0, 0], duration=[2 * BAR, BAR], pitch=[60, 62], velocity=[80, 80], track=[0, 0],
                  marks=(Mark(BAR, "repeat", "end"),))
    assert played(score).duration.tolist() == [BAR, BAR, 2 * BAR, BAR]


def grace_score(places: list[int], onset: int) -> Score:
    count = len(places)
    return Score(onset=[0] + [onset] * (count + 1), duration=[onset] + [0] * count + [480],
                 pitch=[60, *range(70, 70 + count), 64], velocity=[80] * (count + 2), track=[0] * (count + 2),
                 voice=[1] * (count + 2), grace=[0, *places, 0])


def test_grace_notes_sound_before_their_note() -> None:
    out = played(grace_score([1, 2], 960))
    assert out.grace is None
    rows = sorted((int(o), int(d), int(p)) for o, d, p in zip(out.onset, out.duration, out.pitch, strict=True))
    assert rows == [(0, 840, 60), (840, 60, 70), (900, 60, 71), (960, 480, 64)]


def test_grace_notes_at_the_very_beginning_take_from_their_note() -> None:
    score = grace_score([101], 0).select(np.array([1, 2]))
    rows = sorted(zip(played(score).onset.tolist(), played(score).pitch.tolist(), strict=True))
    assert rows == [(0, 70), (60, 64)]


def test_a_clock_too_fine_for_midi_is_made_coarser() -> None:
    score = Score(onset=[0, 48_000], duration=[48_000, 24_000], pitch=[60, 62], velocity=[80, 80], track=[0, 0],
                  ticks_per_quarter=48_000)
    out = played(score)
    assert out.ticks_per_quarter <= 32767
    assert np.allclose(out.offset / out.ticks_per_quarter, [1, 1.5])
