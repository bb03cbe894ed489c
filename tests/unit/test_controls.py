from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import controls, theory
from partimento.errors import RequestError
from partimento.score import Chord, Score, Track

Q = 480
WIDE = [(36, 84)] * 8


def line(rows, **frame):
    table = [(round(o * Q), round(d * Q), p, 80, *(rest or (0,))) for o, d, p, *rest in rows]
    return Score(*np.array(table).T, **frame)


def melody(pitches):
    return line([(i, 1, p) for i, p in enumerate(pitches)])


def clashes(score):
    """How often a note begins while its pitch sounds in its track."""
    found, until = 0, {}
    for onset, duration, pitch, _, track in sorted(score.notes().tolist(), key=lambda r: (r[4], r[2], r[0])):
        found += until.get((track, pitch), 0) > onset
        until[track, pitch] = onset + max(1, duration)
    return found


def everything(score):
    return np.ones(len(score), bool)


# --- the table -------------------------------------------------------------------------------------------------


def test_the_table_is_sound():
    assert len(controls.CONTROLS) >= 12
    score = line([(i / 2, .5, p + i % 8) for i in range(32) for p in (60, 64)])
    for name, control in controls.CONTROLS.items():
        assert name == control.name
        assert control.low < control.high
        assert control.low >= 0 or name == "accents"
        assert 0 < control.tolerance < control.high - control.low
        assert control.measure(score, None) is not None, name
        assert control.measure(score, 0) == control.measure(score, None), name


def test_targets_as_people_write_them():
    assert controls.parse_target("density=6") == (None, "density", 6.0)
    assert controls.parse_target(" piano.density = 6 ") == ("piano", "density", 6.0)
    assert controls.parse_target("violin 2.register=70") == ("violin 2", "register", 70.0)
    assert controls.parse_target("St. James.rests=0.5") == ("St. James", "rests", 0.5)
    assert controls.parse_target("accents=-1.5") == (None, "accents", -1.5)


@pytest.mark.parametrize(("text", "says"), [
    ("densty=6", "did you mean 'density'"), ("density", "a target must be"), ("=3", "a target must be"),
    ("density=many", "density must be near"), ("density=nan", "density must be near"), ("density=-1", "must be near"),
    ("density=9999", "must be near"), ("rests=1.5", "must be near"), ("accents=-30", "must be near"),
    ("piano.=6", "no control named")])
def test_bad_targets_say_what_must_hold(text, says):
    with pytest.raises(RequestError, match=says) as caught:
        controls.parse_target(text)
    assert "\n" not in str(caught.value)


# --- key -------------------------------------------------------------------------------------------------------

E_MINOR, D_MAJOR, C_MAJOR = (theory.parse_key(k) for k in ("E minor", "D major", "C major"))


def test_key_by_hand():
    d_major = melody([62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62, 62])
    assert controls.key_holds(d_major, D_MAJOR).ok
    verdict = controls.key_holds(d_major, E_MINOR)
    assert not verdict.ok
    assert verdict.reason == "the notes point to D major more than to E minor"
    e_minor = melody([64, 66, 67, 71, 69, 67, 66, 63, 64, 71, 64, 64])
    assert controls.key_holds(e_minor, E_MINOR).ok
    assert not controls.key_holds(e_minor, D_MAJOR).ok


def test_melodic_and_harmonic_degrees_are_in_a_minor_key():
    assert controls.key_holds(melody([69, 71, 72, 74, 76, 78, 80, 81, 69, 69, 76, 69]), theory.parse_key("A minor")).ok


def test_the_share_in_the_scale_is_at_least_nine_tenths():
    assert controls.key_holds(melody([60, 64, 67, 60, 64, 67, 60, 64, 61, 60]), C_MAJOR).ok
    verdict = controls.key_holds(melody([60, 64, 67, 60, 64, 67, 60, 66, 61, 60]), C_MAJOR)
    assert verdict == (False, "80 % of the sounding time is in the scale of C major, 90 % must be")


def test_the_ending_is_the_lowest_note_that_sounds_at_the_last_onset():
    held = line([(0, 1, 64), (0, 8, 48), (1, 1, 67), (4, 4, 76)])
    assert controls.key_holds(held, C_MAJOR).ok
    wrong = line([(0, 1, 64), (0, 4, 48), (1, 1, 67), (4, 4, 76)])
    assert controls.key_holds(wrong, C_MAJOR).reason == "it ends on E5 in the bass, it must end on C"
    assert controls.key_holds(wrong, C_MAJOR, finished=False).ok
    drums = line([(0, 4, 48, 0), (5, 1, 37, 1)], tracks=(Track("piano"), Track("drums", 0, True)))
    assert controls.key_holds(drums, C_MAJOR).ok


def test_a_mask_asks_only_some_notes_and_nothing_asks_nothing():
    score = melody([61, 63, 66, 68, 60, 64, 67, 60])
    assert not controls.key_holds(score, C_MAJOR).ok
    assert controls.key_holds(score, C_MAJOR, notes=score.onset >= 4 * Q).ok
    assert controls.key_holds(Score(end=1920), C_MAJOR) == (True, "no pitched notes")


def test_when_chords_contradict_the_key_the_reason_says_so():
    score = melody([67, 71, 74, 67])
    verdict = controls.key_holds(score, theory.parse_key("A minor"), finished=True, chords=[Chord(0, "G")])
    assert not verdict.ok
    chords = [Chord(0, "Db"), Chord(960, "Gb")]
    verdict = controls.key_holds(melody([61, 65, 68, 61]), C_MAJOR, chords=chords)
    assert verdict.reason.endswith("; the chords win, and Db, Gb lie outside it")


# --- chords ----------------------------------------------------------------------------------------------------


def test_chords_by_hand():
    chords = [Chord(0, "C"), Chord(4 * Q, "F")]
    good = melody([60, 64, 67, 72, 65, 69, 72, 65])
    assert controls.chords_hold(good, chords).ok
    assert controls.chords_hold(good, [Chord(0, "Am7"), Chord(4 * Q, "F")]).ok
    verdict = controls.chords_hold(melody([62, 64, 67, 72, 65, 69, 72, 65]), chords)
    assert verdict == (False, "D4 begins with C in bar 1 and is no tone of it")
    passing = line([(0, 1, 60), (1, .8, 62), (1.8, 2.2, 64), (4, 4, 65)])
    assert controls.chords_hold(passing, chords).ok
    verdict = controls.chords_hold(line([(0, 1, 60), (1, 1, 62), (2, 2, 64), (4, 4, 65)]), chords)
    assert verdict == (False, "75 % of the sounding time under C in bar 1 is on its tones, 80 % must be")
    assert controls.chords_hold(melody([61, 61, 61, 61]), [Chord(0, "N")]).ok


def test_a_note_that_rings_into_a_chord_counts_under_it():
    chords = [Chord(0, "C"), Chord(4 * Q, "Db")]
    assert not controls.chords_hold(line([(0, 6, 60), (6, 2, 61)]), chords).ok
    assert controls.chords_hold(line([(0, 4, 60), (4, 4, 61)]), chords).ok


def test_a_little_late_is_still_on_the_beat():
    assert not controls.chords_hold(line([(.1, 1, 62), (1, 9, 60)]), [Chord(0, "C")]).ok
    assert controls.chords_hold(line([(.25, 1, 62), (2, 9, 60)]), [Chord(0, "C")]).ok


# --- mending ---------------------------------------------------------------------------------------------------


def random_music(seed, tracks=3, bars=6, spread=12):
    """Random notes within WIDE, no pitch overlapping itself."""
    rng = np.random.default_rng(seed)
    rows, until = [], {}
    for _ in range(int(rng.integers(1, bars * spread))):
        onset, track, pitch = int(rng.integers(0, bars * 8)) * 240, int(rng.integers(tracks)), int(rng.integers(36, 85))
        rows.append((onset, int(rng.choice([120, 240, 480, 960, 2400])), pitch, 80, track))
    kept = []
    for row in sorted(rows):
        if until.get((row[4], row[2]), 0) <= row[0]:
            kept.append(row)
            until[row[4], row[2]] = row[0] + row[1]
    return Score(*np.array(kept).T, tracks=tuple(Track(str(i)) for i in range(tracks)))


KEYS = [theory.KeyName(tonic, mode) for tonic in range(12) for mode in ("major", "minor")]
PROGRESSIONS = ["Am F C G", "Dm7 G7 | Cmaj7", "F#dim B7 Em", "C Db | Gb D7", "C5", "Bbmaj7 Ebm7 Ab7 | Db"]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), key=st.sampled_from(KEYS), finished=st.booleans())
def test_any_music_can_be_mended_to_any_key(seed, key, finished):
    score = random_music(seed)
    mended, moved = controls.mend_key(score, key, everything(score), WIDE, finished)
    assert controls.key_holds(mended, key, finished=finished).ok
    assert len(mended) == len(score)
    for name in ("onset", "duration", "velocity", "track"):
        assert Counter(getattr(mended, name).tolist()) == Counter(getattr(score, name).tolist())
    assert clashes(mended) == 0
    assert mended.end == score.end
    assert (moved == 0) == (mended == score)
    assert mended.pitch.min() >= 36
    assert mended.pitch.max() <= 84
    again, moved_again = controls.mend_key(mended, key, everything(mended), WIDE, finished)
    assert (again, moved_again) == (mended, 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), text=st.sampled_from(PROGRESSIONS))
def test_any_music_can_be_mended_to_any_chords(seed, text):
    score = random_music(seed)
    chords = theory.place_chords(theory.parse_chords(text, score.n_bars), score.bar_starts)
    mended, _ = controls.mend_chords(score, chords, everything(score), WIDE)
    assert controls.chords_hold(mended, chords).ok
    assert clashes(mended) == 0
    before = Counter((o, t) for o, t in zip(score.onset.tolist(), score.track.tolist(), strict=True))
    after = Counter((o, t) for o, t in zip(mended.onset.tolist(), mended.track.tolist(), strict=True))
    assert after <= before
    steady, _ = controls.mend_chords(score, chords, everything(score), WIDE, shorten=False)
    assert Counter(steady.duration.tolist()) <= Counter(score.duration.tolist())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), finished=st.booleans())
def test_key_and_chords_that_agree_hold_together(seed, finished):
    score = random_music(seed, bars=8)
    chords = theory.place_chords(theory.parse_chords("Am F | Dm E7 | Am", score.n_bars), score.bar_starts)
    key = theory.parse_key("A minor")
    ends_on_tonic = 9 in theory.parse_chord([c for c in chords if c.tick <= score.onset.max()][-1].symbol).tones
    mended, _ = controls.mend_facts(score, key, chords, everything(score), WIDE, finished and ends_on_tonic)
    assert controls.chords_hold(mended, chords).ok
    enough = len(mended) >= 40 and score.n_bars >= 6
    verdict = controls.key_holds(mended, key, finished=finished and ends_on_tonic)
    assert verdict.ok or not enough, verdict


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), key=st.sampled_from(KEYS))
def test_kept_notes_stay_and_new_ones_hold(seed, key):
    score = random_music(seed, tracks=2)
    movable = score.track == 1
    mended, _ = controls.mend_facts(score, key, (), movable, WIDE, False)
    assert (mended.notes()[mended.track == 0] == score.notes()[score.track == 0]).all()
    assert controls.key_holds(mended, key, notes=mended.track == 1, finished=False).ok
    assert clashes(mended) == 0


def test_kept_music_that_rules_a_key_out_is_told():
    kept = line([(i, 1, 62 + i % 2 * 4, 0) for i in range(12)] + [(11, 1, 80, 1)])
    mended, _ = controls.mend_facts(kept, C_MAJOR, (), kept.track == 1, WIDE, notes=everything(kept))
    verdict = controls.key_holds(mended, C_MAJOR)
    assert not verdict.ok
    assert "must be" in verdict.reason


def test_little_is_moved_and_nothing_that_need_not():
    fine = melody([60, 64, 67, 72, 67, 64, 62, 60])
    assert controls.mend_key(fine, C_MAJOR, everything(fine), WIDE) == (fine, 0)
    one_off = melody([60, 64, 67, 72, 67, 64, 61, 66, 67, 60])
    mended, moved = controls.mend_key(one_off, C_MAJOR, everything(one_off), WIDE)
    assert moved == 1
    assert np.abs(mended.pitch - one_off.pitch).max() == 1


def test_the_bass_gets_the_tonic_under_a_kept_melody():
    score = line([(0, 4, 72, 0), (0, 4, 55, 1), (4, 4, 67, 0), (4, 4, 55, 1)])
    mended, moved = controls.mend_facts(score, C_MAJOR, (), score.track == 1, WIDE)
    assert controls.key_holds(mended, C_MAJOR, notes=mended.track == 1).ok
    assert moved >= 1
    low = mended.pitch[mended.onset == 4 * Q].min()
    assert low % 12 == 0


def test_a_chord_of_more_notes_than_there_is_room_for_doubles_or_drops():
    stack = line([(0, 4, p) for p in range(60, 70)])
    doubled, _ = controls.mend_chords(stack, [Chord(0, "C")], everything(stack), [(36, 84)])
    assert len(doubled) == 10
    assert controls.chords_hold(doubled, [Chord(0, "C")]).ok
    narrow, moved = controls.mend_chords(stack, [Chord(0, "C")], everything(stack), [(60, 69)])
    assert sorted(narrow.pitch.tolist()) == [60, 64, 67]
    assert moved == 7


def test_a_note_over_two_chords_takes_a_common_tone_or_ends_between_them():
    over = line([(0, 8, 62)])
    common, _ = controls.mend_chords(over, [Chord(0, "Am"), Chord(4 * Q, "F")], everything(over), WIDE)
    assert common.pitch[0] % 12 in (9, 0)
    assert common.duration[0] == 8 * Q
    apart = [Chord(0, "C"), Chord(4 * Q, "Db")]
    cut, _ = controls.mend_chords(over, apart, everything(over), WIDE)
    assert cut.duration[0] == 4 * Q
    assert controls.chords_hold(cut, apart).ok
    held, _ = controls.mend_chords(over, apart, everything(over), WIDE, shorten=False)
    assert held.duration[0] == 8 * Q
    assert not controls.chords_hold(held, apart).ok


def test_drums_are_never_moved():
    score = line([(i, 1, 37, 0) for i in range(8)] + [(i, 1, 61, 1) for i in range(8)],
                 tracks=(Track("drums", 0, True), Track("piano")))
    mended, _ = controls.mend_facts(score, C_MAJOR, [Chord(0, "C")], everything(score), WIDE)
    assert (mended.pitch[mended.track == 0] == 37).all()
    assert controls.key_holds(mended, C_MAJOR).ok
