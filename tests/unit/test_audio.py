"""Sound: what is heard of small Scores, played on the built-in patches, and the files it is written to."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from partimento.errors import RequestError, WriteError
from partimento.render import audio
from partimento.render.audio import audio_bytes, render_audio, write_audio
from partimento.render.patches import built_in
from partimento.score import Controls, Score, Tempo, Track

RATE = 44100
QUARTER = 22050  # samples at 120 beats a minute
PIANO, ORGAN, GUITAR, STRINGS, FLUTE = 0, 16, 24, 48, 73
Sound = npt.NDArray[np.float32]


def piece(notes: list[tuple[int, int, int, int]], program: int = ORGAN, *, drums: bool = False,
          controls: list[tuple[int, int, int, int]] = [], **frame: Any) -> Score:  # noqa: B006
    """Notes as (onset, duration, pitch, velocity) on one track, 480 ticks a quarter, controls as (tick, kind, n, v)."""
    onset, duration, pitch, velocity = np.array(notes).reshape(-1, 4).T
    rows = Controls.of((tick, 0, kind, number, value) for tick, kind, number, value in controls)
    return Score(onset=onset, duration=duration, pitch=pitch, velocity=velocity, track=np.zeros(len(notes), int),
                 tracks=(Track("", program, drums),), controls=rows, **frame)


def played(score: Score, **wishes: Any) -> Sound:
    return render_audio(score, soundfont=built_in(), **{"reverb": False, **wishes})


def level(sound: Sound, start: float, stop: float) -> float:
    """Root mean square between two quarters."""
    return float(np.sqrt((sound[round(start * QUARTER):round(stop * QUARTER)] ** 2).mean()))


def hertz(sound: Sound, near: float) -> float:
    """The strongest frequency within a semitone of `near`, by a parabola through the logarithm of the spectrum."""
    mono = sound.mean(axis=1)
    size = 1 << 18
    spectrum = np.abs(np.fft.rfft(mono * np.blackman(len(mono)), size))
    low, high = (round(near * f * size / RATE) for f in (0.95, 1.05))
    top = low + int(np.argmax(spectrum[low:high]))
    a, b, c = np.log(spectrum[top - 1:top + 2])
    return float((top + (a - c) / (a - 2 * b + c) / 2) * RATE / size)


# --- length and level ----------------------------------------------------------------------------------------


def test_sound_lasts_as_long_as_the_piece_and_its_release_and_never_clips() -> None:
    score = piece([(0, 480, 60, 127), (0, 480, 64, 127), (480, 960, 67, 127)], PIANO)
    sound = render_audio(score, soundfont=built_in())
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert 3 * QUARTER < len(sound) < 3 * QUARTER + audio.LONGEST_TAIL * RATE
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() == pytest.approx(audio.PEAK, abs=1e-4)
    assert np.abs(sound[-1]).max() < 1e-5, "the end must be faded out"
    assert abs(float(sound.mean())) < 1e-3


def test_the_clock_is_the_tempo_map() -> None:
    score = piece([(0, 960, 60, 90)], tempos=(Tempo(0, 500_000), Tempo(480, 250_000)))
    assert len(played(score, loop=True)) == QUARTER + QUARTER // 2
    assert len(played(score, loop=True, rate=8000)) == 6000


@pytest.mark.parametrize(("end", "samples"), [(0, 0), (960, 44100)])
@pytest.mark.parametrize("loop", [False, True])
def test_an_empty_score_is_silence_of_its_length(end: int, samples: int, loop: bool) -> None:
    sound = render_audio(Score(end=end), soundfont=built_in(), loop=loop)
    assert sound.shape == (samples, 2)
    assert not sound.any()


def test_silence_at_the_end_is_kept() -> None:
    assert len(played(piece([(0, 120, 60, 90)], end=1920))) >= 4 * QUARTER


def test_louder_velocity_is_louder_by_its_square() -> None:
    sound = played(piece([(0, 480, 60, 50), (960, 480, 60, 100)]))
    assert level(sound, 2.3, 2.9) / level(sound, 0.3, 0.9) == pytest.approx(4, rel=0.02)


def test_the_faintest_note_alone_still_sounds() -> None:
    sound = played(piece([(0, 480, 60, 1)]))
    assert level(sound, 0.2, 0.8) > 0.1


# --- pitch ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [PIANO, 11, ORGAN, GUITAR, 33, 40, STRINGS, 56, 65, FLUTE, 80, 88])
@pytest.mark.parametrize("pitch", [45, 69, 76])
def test_every_instrument_is_in_tune_within_one_cent(program: int, pitch: int) -> None:
    true = 440 * 2 ** ((pitch - 69) / 12)
    sound = played(piece([(0, 5760, pitch, 100)], program))[:6 * RATE]
    assert abs(1200 * np.log2(hertz(sound, true) / true)) < 1


def test_pitch_bend_moves_the_pitch_by_the_range_the_file_sets() -> None:
    bend = [(0, 0xE0, 0, 8191)]
    ranged = [(0, 0xB0, 101, 0), (0, 0xB0, 100, 0), (0, 0xB0, 6, 12), *bend]
    assert hertz(played(piece([(0, 960, 57, 90)], controls=bend)), 246.94) == pytest.approx(246.94, rel=1e-3)
    assert hertz(played(piece([(0, 960, 57, 90)], controls=ranged)), 440) == pytest.approx(440, rel=1e-3)


def test_a_bend_under_a_held_note_glides() -> None:
    sound = played(piece([(0, 1920, 69, 90)], controls=[(960, 0xE0, 0, -8192)]))
    assert hertz(sound[:QUARTER * 2 - 2000], 440) == pytest.approx(440, rel=1e-3)
    assert hertz(sound[QUARTER * 2 + 2000:QUARTER * 4], 392) == pytest.approx(392, rel=1e-3)
    jump = np.abs(np.diff(sound[2 * QUARTER - 50:2 * QUARTER + 400, 0])).max()
    assert jump < 1.5 * np.abs(np.diff(sound[QUARTER:2 * QUARTER - 50, 0])).max()


def test_the_modulation_wheel_brings_vibrato() -> None:
    still = played(piece([(0, 1920, 69, 90)]))[:4 * QUARTER]
    moved = played(piece([(0, 1920, 69, 90)], controls=[(0, 0xB0, 1, 127)]))[:4 * QUARTER]
    ringing = [np.abs(np.fft.rfft(s.mean(axis=1) * np.hanning(len(s))))[870:890].max() for s in (still, moved)]
    assert ringing[1] < 0.8 * ringing[0], "vibrato must spread the partial over side bands"


# --- controllers ---------------------------------------------------------------------------------------------


def test_the_pedal_holds_notes_until_it_is_lifted() -> None:
    notes = [(0, 240, 60, 90), (2880, 240, 72, 90)]
    dry = played(piece(notes))
    held = played(piece(notes, controls=[(0, 0xB0, 64, 127), (1920, 0xB0, 64, 0)]))
    assert level(dry, 1.5, 3.5) < 1e-3 * level(dry, 0.1, 0.4)
    assert level(held, 1.5, 3.5) > 0.5 * level(held, 0.1, 0.4)
    assert level(held, 5, 5.9) < 1e-3 * level(held, 0.1, 0.4)


def test_a_pedal_pressed_where_a_note_ends_does_not_catch_it() -> None:
    notes = [(0, 480, 60, 90), (480, 240, 67, 1), (2400, 480, 72, 90)]
    changed = played(piece(notes, controls=[(0, 0xB0, 64, 127), (480, 0xB0, 64, 0), (480, 0xB0, 64, 127),
                                            (1920, 0xB0, 64, 0)]))
    assert level(changed, 2, 3.5) < 0.01 * level(changed, 0.2, 0.8)


def test_a_key_struck_again_lets_go_of_itself() -> None:
    pedal, accent = [(0, 0xB0, 64, 127)], (1920, 240, 36, 127)
    once = played(piece([(0, 240, 60, 60), accent], FLUTE, controls=pedal))
    often = played(piece([(240 * i, 240, 60, 60) for i in range(6)] + [accent], FLUTE, controls=pedal))
    assert level(often, 3, 3.9) / level(once, 3, 3.9) == pytest.approx(1, abs=0.1)


def test_volume_and_expression_act_by_their_square_while_a_note_sounds() -> None:
    for number in (7, 11):
        sound = played(piece([(0, 1920, 60, 90)], FLUTE, controls=[(0, 0xB0, number, 100), (960, 0xB0, number, 50)]))
        assert level(sound, 0.3, 1.9) / level(sound, 2.1, 3.9) == pytest.approx(4, rel=0.02)


def test_pan_takes_the_sound_to_one_side() -> None:
    left = played(piece([(0, 480, 60, 90)], controls=[(0, 0xB0, 10, 0)]))
    right = played(piece([(0, 480, 60, 90)], controls=[(0, 0xB0, 10, 127)]))
    middle = played(piece([(0, 480, 60, 90)]))
    assert np.abs(left[:, 1]).max() < 1e-3
    assert np.abs(right[:, 0]).max() < 1e-3
    np.testing.assert_array_equal(middle[:, 0], middle[:, 1])


def test_a_change_of_program_changes_the_sound_of_later_notes_only() -> None:
    notes = [(0, 480, 60, 90), (960, 480, 60, 90)]
    plain, changed = played(piece(notes)), played(piece(notes, controls=[(720, 0xC0, 0, FLUTE)]))
    one, other = (s[:QUARTER] / np.abs(s[:QUARTER]).max() for s in (plain, changed))
    np.testing.assert_allclose(one, other, atol=1e-6)
    parts = [s[2 * QUARTER:3 * QUARTER] / np.abs(s[2 * QUARTER:3 * QUARTER]).max() for s in (plain, changed)]
    assert np.abs(parts[0] - parts[1]).max() > 0.1


def test_reset_all_controllers_lifts_the_pedal() -> None:
    sound = played(piece([(0, 240, 60, 90), (2400, 240, 72, 90)],
                         controls=[(0, 0xB0, 64, 127), (960, 0xB0, 121, 0)]))
    assert level(sound, 1, 1.9) > 100 * level(sound, 3, 4.5)


# --- drums ---------------------------------------------------------------------------------------------------


def test_every_drum_of_general_midi_makes_a_sound() -> None:
    keys = range(27, 88)
    sound = played(piece([(480 * i, 240, key, 100) for i, key in enumerate(keys)], 0, drums=True))
    silent = [key for i, key in enumerate(keys) if level(sound, i, i + 0.2) < 1e-3]
    assert not silent


def test_drums_stand_in_their_registers() -> None:
    def centre(key: int) -> float:
        sound = played(piece([(0, 240, key, 100)], 0, drums=True))[:QUARTER].mean(axis=1)
        power = np.abs(np.fft.rfft(sound)) ** 2
        return float((power * np.fft.rfftfreq(len(sound), 1 / RATE)).sum() / power.sum())

    kick, tom, snare, hat = (centre(key) for key in (36, 45, 38, 42))
    assert kick < tom < snare < hat
    assert kick < 150
    assert hat > 5000


def test_a_closed_hi_hat_chokes_an_open_one() -> None:
    rung = played(piece([(0, 120, 46, 120), (960, 120, 36, 120)], 0, drums=True))
    choked = played(piece([(0, 120, 46, 120), (120, 120, 42, 10), (960, 120, 36, 120)], 0, drums=True))
    assert level(choked, 0.6, 0.9) < 0.1 * level(rung, 0.6, 0.9)


# --- no clicks, loops, reverb --------------------------------------------------------------------------------


def test_notes_begin_and_end_without_a_click() -> None:
    sound = played(piece([(0, 477, 60, 100), (960, 480, 60, 1)], FLUTE))[:, 0]
    bend = np.abs(np.diff(sound, 2))
    inside = bend[RATE // 8:QUARTER - 1000].max()
    assert bend[QUARTER - 500:2 * QUARTER - 100].max() < 2 * inside, "a cut would be a hundred times as rough"


def test_a_loop_has_the_exact_count_and_folds_its_tail_into_its_head() -> None:
    score = piece([(0, 400, 60, 90), (1500, 433, 67, 90)], STRINGS, end=1933, tempos=(Tempo(0, 483_091),))
    looped = render_audio(score, soundfont=built_in(), loop=True)
    count = round(RATE * 1933 / 480 * 0.483091)
    assert looped.shape == (count, 2)
    open_ended = np.zeros((4 * count, 2))
    straight = render_audio(score, soundfont=built_in())
    open_ended[:len(straight)] = straight
    folded = open_ended.reshape(4, count, 2).sum(axis=0)
    fit = folded * audio.PEAK / np.abs(folded).max()
    assert np.abs(fit - looped).max() < 2e-3, "the straight sound, folded, is the loop up to its fade-out"


def test_the_seam_of_a_loop_is_as_smooth_as_its_inside() -> None:
    sound = render_audio(piece([(240, 1680, 60, 90)], STRINGS, end=1920), soundfont=built_in(), loop=True)[:, 0]
    turned = np.roll(sound, len(sound) // 2)
    seam = len(sound) // 2
    steps = np.abs(np.diff(turned))
    assert np.abs(sound[:2000]).max() > 1e-3, "the release must ring into the head"
    assert steps[seam - 100:seam + 100].max() <= 1.05 * np.abs(np.diff(sound[QUARTER:-100])).max()


def test_reverb_adds_a_tail_and_keeps_the_start() -> None:
    score = piece([(0, 240, 60, 90)], end=960)
    dry, wet = played(score), played(score, reverb=True)
    assert level(wet, 1.2, 1.9) > 100 * level(dry, 1.2, 1.9)
    assert level(wet, 1.2, 1.9) < 0.1 * level(wet, 0.05, 0.45), "only a little"
    assert np.abs(wet[:, 0] - wet[:, 1]).max() > 1e-3, "a room is heard with two ears"


def test_the_same_score_gives_the_same_samples() -> None:
    score = piece([(0, 480, 60, 90), (480, 480, 64, 70)], PIANO)
    np.testing.assert_array_equal(render_audio(score, soundfont=built_in()), render_audio(score, soundfont=built_in()))


# --- files ---------------------------------------------------------------------------------------------------

SHORT = piece([(0, 240, 69, 90), (240, 240, 72, 60)], PIANO)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_every_format_is_written_and_read_back(tmp_path: Path, suffix: str) -> None:
    path = write_audio(SHORT, tmp_path / f"piece.{suffix}", soundfont=built_in())
    assert os.listdir(tmp_path) == [f"piece.{suffix}"]
    sound, rate = soundfile.read(path, dtype="float32")
    expected = render_audio(SHORT, soundfont=built_in())
    assert rate == RATE
    if suffix == "mp3":
        assert abs(len(sound) - len(expected)) < 3000
    else:
        assert sound.shape == expected.shape
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(sound, expected, atol=2**-15)
    assert hertz(sound[:QUARTER // 2], 440) == pytest.approx(440, rel=2e-3)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_bytes_are_the_file_and_always_the_same(tmp_path: Path, kind: str) -> None:
    data = audio_bytes(SHORT, kind, soundfont=built_in())
    assert data == audio_bytes(SHORT, kind, soundfont=built_in())
    assert data == write_audio(SHORT, tmp_path / f"a.{kind}", soundfont=built_in()).read_bytes()


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_silence_is_a_file_too_but_nothing_is_not(tmp_path: Path, kind: str) -> None:
    path = write_audio(Score(end=480), tmp_path / f"silence.{kind}", soundfont=built_in())
    sound, _ = soundfile.read(path)
    assert not sound.any()
    assert kind == "mp3" or len(sound) == QUARTER
    with pytest.raises(WriteError, match="no length"):
        write_audio(Score(), tmp_path / f"nothing.{kind}", soundfont=built_in())
    assert len(os.listdir(tmp_path)) == 1


def test_an_ogg_of_many_pages_is_read_back_whole() -> None:
    score = piece([(i * 480, 480, 48 + i % 24, 90) for i in range(60)], PIANO)
    sound, _ = soundfile.read(io.BytesIO(audio_bytes(score, "ogg", soundfont=built_in())))
    assert len(sound) == len(render_audio(score, soundfont=built_in()))


def test_an_unknown_format_is_refused_with_the_nearest() -> None:
    with pytest.raises(WriteError, match="did you mean 'flac'"):
        write_audio(SHORT, "piece.flacc", soundfont=built_in())
    with pytest.raises(WriteError, match="known: flac, mp3, ogg, wav"):
        audio_bytes(SHORT, "xyz")


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="there is no folder"):
        write_audio(SHORT, tmp_path / "nowhere" / "piece.wav")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "piece.wav"
    path.write_bytes(b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WriteError, match="No space left on device"):
        write_audio(SHORT, path, soundfont=built_in())
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["piece.wav"]


@pytest.mark.parametrize("rate", [0, 7999, 192001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(RequestError, match=r"must lie in 8000\.\.192000"):
        render_audio(SHORT, rate=rate)


def test_a_rate_that_a_format_lacks_is_a_write_error() -> None:
    with pytest.raises(WriteError, match="cannot write mp3 at 96000"):
        audio_bytes(SHORT, "mp3", soundfont=built_in(), rate=96000)


def test_a_piece_of_many_hours_is_refused() -> None:
    with pytest.raises(RequestError, match="at most 60 minutes"):
        render_audio(piece([(0, 2_000_000_000, 60, 90)]), soundfont=built_in())


def test_with_no_soundfont_anywhere_the_patches_play(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "find_soundfont", lambda path=None: None)
    np.testing.assert_array_equal(render_audio(SHORT), render_audio(SHORT, soundfont=built_in()))


def test_every_program_of_the_patches_sounds() -> None:
    bank = built_in()
    for program in range(128):
        preset = bank.preset(program, False)
        assert preset == (0, program)
        assert all(len(bank.sounding(preset, key, 64)) == 1 for key in range(128))
