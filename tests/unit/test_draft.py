"""What a reader of notation says becomes one Score: bars, ties, voices and the clock."""

from __future__ import annotations

from fractions import Fraction

import pytest

from partimento.errors import ReadError
from partimento.formats.draft import Draft
from partimento.score import Key, Mark, Meter


def bars(*lengths: Fraction | int, meter: tuple[int, int] = (4, 4)) -> Draft:
    draft = Draft()
    draft.part("Piano")
    for i, length in enumerate(lengths):
        draft.bar(length, meter if i == 0 else None)
    return draft


@pytest.mark.parametrize("lengths", [(4, 4), (1, 4, 3), (4, 2, 2, 4), (4, 6, 4), (Fraction(1, 2), 4),
                                     (7, 1, 4, Fraction(3, 8))])
def test_every_bar_comes_back(lengths: tuple[Fraction | int, ...]) -> None:
    score = bars(*lengths).reading().score
    edges = score.bar_starts / score.ticks_per_quarter
    assert (edges[1:] - edges[:-1]).tolist() == [float(length) for length in lengths]


def test_a_pickup_is_one_and_prints_no_second_meter() -> None:
    score = bars(1, 4, 3).reading().score
    assert score.has_pickup
    assert score.meters == (Meter(0, 4, 4), Meter(480, 4, 4))
    assert not score.marks


def test_a_long_bar_has_a_hidden_meter_of_its_own() -> None:
    score = bars(4, 6, 4).reading().score
    assert score.meters == (Meter(0, 4, 4), Meter(1920, 6, 4), Meter(4800, 4, 4))
    assert score.marks == (Mark(1920, "meter", "hidden"), Mark(4800, "meter", "hidden"))


def test_a_bar_of_odd_length_is_filled_up_and_counted() -> None:
    reading = bars(Fraction(10, 3), 4).reading()
    assert reading.repairs == {"bars of odd length filled up": 1}
    assert reading.score.bar_starts[1] / reading.score.ticks_per_quarter == 3.34375


def test_tied_heads_are_one_note_even_from_another_voice() -> None:
    draft = bars(4, 4)
    draft.note(0, 4, 2, 60, voice=2, tied_from=True, tied_to=True)
    draft.note(0, 3, 1, 60, voice=1, tied_to=True)
    draft.note(0, 6, 1, 60, voice=1, tied_from=True)
    draft.note(0, 3, 1, 64, voice=1)
    reading = draft.reading()
    assert reading.score.notes()[:, :3].tolist() == [[1440, 4 * 480, 60], [1440, 480, 64]]
    assert not reading.repairs


def test_a_tie_from_nowhere_is_counted_and_its_note_kept() -> None:
    draft = bars(4)
    draft.note(0, 2, 1, 60, tied_from=True)
    reading = draft.reading()
    assert reading.repairs == {"ties from nowhere": 1}
    assert len(reading.score) == 1


def test_the_clock_is_as_fine_as_the_music_and_no_finer_than_it_may_be() -> None:
    draft = bars(4)
    draft.note(0, 0, Fraction(4, 7), 60)
    assert draft.reading().score.ticks_per_quarter == 7 * 480
    for prime in (11, 13, 17, 19):
        draft.note(0, 1, Fraction(1, prime), 62)
    reading = draft.reading()
    assert reading.score.ticks_per_quarter <= 100_000
    assert reading.repairs == {"times finer than the clock rounded": 1}


def test_voices_are_counted_by_staff_then_name() -> None:
    draft = bars(4)
    for voice, staff in (("5", 2), ("1", 1), ("10", 1), ("2", 1)):
        draft.note(0, 0, 1, 60 + int(voice), voice=voice, staff=staff)
    score = draft.reading().score
    assert dict(zip(score.pitch.tolist(), score.voice.tolist(), strict=True)) == {61: 1, 62: 2, 70: 3, 65: 4}


def test_grace_notes_take_no_time_and_no_tie() -> None:
    draft = bars(4)
    draft.note(0, 0, Fraction(1, 4), 62, grace=1, tied_to=True)
    draft.note(0, 0, 4, 62, tied_from=True)
    reading = draft.reading()
    assert reading.score.grace.tolist() == [1, 0]
    assert reading.score.duration.tolist() == [0, 1920]


def test_fermatas_name_their_parts_unless_all_have_them() -> None:
    draft = bars(4)
    draft.part("Cello")
    for part in (0, 1):
        draft.note(part, 0, 2, 60)
        draft.fermata(0, part)
    draft.note(0, 2, 1, 60)
    draft.note(1, 2, 2, 60)
    draft.fermata(2, 1)
    assert draft.reading().score.marks == (Mark(0, "fermata", ""), Mark(960, "fermata", "1"))


def test_keys_are_told_once_and_wrapped() -> None:
    draft = bars(4, 4)
    for at, fifths in ((0, 2), (0, 2), (4, 2), (6, -8)):
        draft.key(at, fifths)
    reading = draft.reading()
    assert reading.score.keys == (Key(0, 2, ""), Key(2880, 4, ""))
    assert reading.repairs == {"keys of more than seven accidentals respelled": 1}


def test_too_many_notes_and_no_part_are_said() -> None:
    draft = Draft(max_notes=1)
    with pytest.raises(ReadError, match="must have a part"):
        draft.reading()
    draft.part()
    draft.note(0, 0, 1, 60)
    with pytest.raises(ReadError, match="--max-notes"):
        draft.note(0, 1, 1, 60)
