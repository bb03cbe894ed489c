"""SoundFont files: small ones made here are read, layered, modulated and refused; and the finding of one."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from partimento.errors import PartimentoError, ReadError
from partimento.render import sf_voice, soundfont
from partimento.render.audio import render_audio
from partimento.render.soundfont import Bank, find_soundfont, load_soundfont, soundfont_info
from partimento.score import Controls, Score, Track

RATE = 44100
PERIOD = 100  # samples: 441 Hz
Gens = dict[int, int]
Mods = Sequence[tuple[int, int, int, int]]  # source, destination, amount, amount source
Layer = tuple[Gens, Mods]


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def bags(letter: bytes, lists: Sequence[Sequence[Layer]]) -> tuple[bytes, list[int]]:
    """The bag, mod and gen chunks of zones in lists, and the first bag of each list."""
    bag, gen, mod, first = b"", b"", b"", []
    n_bags = n_gens = n_mods = 0
    for layers in lists:
        first.append(n_bags)
        for gens, mods in layers:
            bag += struct.pack("<HH", n_gens, n_mods)
            gen += b"".join(struct.pack("<Hh", op, amount) for op, amount in gens.items())
            mod += b"".join(struct.pack("<HHhHH", a, d, n, b, 0) for a, d, n, b in mods)
            n_bags, n_gens, n_mods = n_bags + 1, n_gens + len(gens), n_mods + len(mods)
    bag += struct.pack("<HH", n_gens, n_mods)
    out = chunk(letter + b"bag", bag) + chunk(letter + b"mod", mod + bytes(10)) + chunk(letter + b"gen", gen + bytes(4))
    return out, [*first, n_bags]


def sf2(preset: Sequence[Layer], instrument: Sequence[Layer], *, bank: int = 0, info: bytes = b"",
        vorbis: bool = False) -> bytes:
    """A soundfont of one preset and one instrument on one sample: ten periods of a sine, the last nine looped."""
    sine = np.round(16000 * np.sin(2 * np.pi * np.arange(10 * PERIOD) / PERIOD)).astype("<i2")
    wave, end, kind = sine.tobytes(), len(sine), 1
    if vorbis:
        buffer = io.BytesIO()
        soundfile.write(buffer, sine, RATE, "VORBIS", format="OGG")
        wave, end, kind = buffer.getvalue(), len(buffer.getvalue()), 0x11
    presets, first = bags(b"p", [preset])
    phdr = struct.pack("<20sHHHIII", b"one", 0, bank, first[0], 0, 0, 0)
    phdr += struct.pack("<20sHHHIII", b"EOP", 0, 0, first[1], 0, 0, 0)
    instruments, first = bags(b"i", [instrument])
    inst = struct.pack("<20sH", b"sine", first[0]) + struct.pack("<20sH", b"EOI", first[1])
    shdr = struct.pack("<20sIIIIIBbHH", b"sine", 0, end, PERIOD, 10 * PERIOD, RATE, 69, 0, 0, kind)
    shdr += struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    body = b"sfbk" + chunk(b"LIST", b"INFO" + (info or chunk(b"INAM", b"Small\0"))) + chunk(
        b"LIST", b"sdta" + chunk(b"smpl", wave + bytes(92))) + chunk(
        b"LIST", b"pdta" + chunk(b"phdr", phdr) + presets + chunk(b"inst", inst) + instruments + chunk(b"shdr", shdr))
    return chunk(b"RIFF", body)


LOOPED: Gens = {54: 1, 53: 0}
PLAIN = sf2([({41: 0}, ())], [(LOOPED, ())])


def bank_of(tmp_path: Path, data: bytes) -> Bank:
    path = tmp_path / f"font{len(list(tmp_path.iterdir()))}.sf2"
    path.write_bytes(data)
    return load_soundfont(path)


def played(bank: Bank, *, pitch: int = 69, velocity: int = 127, drums: bool = False,
           controls: Sequence[tuple[int, int, int, int, int]] = ()) -> npt.NDArray[np.float32]:
    score = Score(onset=[0], duration=[960], pitch=[pitch], velocity=[velocity], track=[0],
                  tracks=(Track("", 0, drums),), controls=Controls.of(controls))
    return render_audio(score, soundfont=bank, reverb=False)


def voice(bank: Bank, key: int = 69, velocity: int = 127, **controllers: int) -> sf_voice.Voice:
    preset = bank.preset(0, False)
    (index,) = bank.sounding(preset, key, velocity)
    found = sf_voice.make_voice(bank, bank.zones(preset)[index], key, velocity,
                                {int(k[2:]): v for k, v in controllers.items()})
    assert found is not None
    return found


# --- reading -------------------------------------------------------------------------------------------------


def test_a_looped_sample_sounds_as_long_as_the_key_is_held(tmp_path: Path) -> None:
    sound = played(bank_of(tmp_path, PLAIN))
    held = sound[100:RATE - 100, 0]
    expected = np.sin(2 * np.pi * np.arange(100, RATE - 100) / PERIOD) * np.abs(held).max()
    np.testing.assert_allclose(held, expected, atol=0.02 * np.abs(held).max())
    assert np.abs(sound[RATE + 2000:]).max(initial=0) < 0.005


def test_compressed_samples_are_decoded(tmp_path: Path) -> None:
    plain = voice(bank_of(tmp_path, PLAIN)).tone
    bank = bank_of(tmp_path, sf2([({41: 0}, ())], [(LOOPED, ())], vorbis=True))
    assert voice(bank).tone == plain
    sound = played(bank)[:RATE, 0]
    assert int(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(RATE))))) == 441
    broken = bytearray(sf2([({41: 0}, ())], [(LOOPED, ())], vorbis=True))
    place = broken.index(b"OggS")
    broken[place:place + 40] = bytes(40)
    with pytest.raises(ReadError, match="cannot be decoded"):
        played(bank_of(tmp_path, bytes(broken)))


def test_an_unlooped_sample_ends_with_itself(tmp_path: Path) -> None:
    sound = played(bank_of(tmp_path, sf2([({41: 0}, ())], [({53: 0}, ())])))
    assert np.abs(sound[:10 * PERIOD]).max() > 0.5
    assert np.abs(sound[10 * PERIOD + 1:]).max() < 0.005


def test_a_key_an_octave_higher_is_twice_as_high(tmp_path: Path) -> None:
    bank = bank_of(tmp_path, PLAIN)
    for pitch, hertz in ((57, 220.5), (69, 441), (81, 882), (76, 441 * 2 ** (7 / 12))):
        spectrum = np.abs(np.fft.rfft(played(bank, pitch=pitch)[:RATE, 0] * np.hanning(RATE)))
        assert abs(int(np.argmax(spectrum)) - hertz) <= 1


def test_global_zones_lie_under_and_presets_add(tmp_path: Path) -> None:
    instrument: list[Layer] = [({52: 10, 38: -1200}, ()), ({52: 30, **LOOPED}, ())]
    one = voice(bank_of(tmp_path, sf2([({41: 0}, ())], instrument)))
    assert (one.tone.cents, one.release) == (30, 0.5)
    added: list[Layer] = [({51: 1, 38: 1200}, ()), ({52: 5, 41: 0}, ())]
    other = voice(bank_of(tmp_path, sf2(added, instrument)))
    assert (other.tone.cents, other.release) == (135, 1.0)


def test_ranges_of_preset_and_instrument_meet(tmp_path: Path) -> None:
    keys = {43: 60 | 80 << 8, 44: 20 | 100 << 8}
    bank = bank_of(tmp_path, sf2([({43: 70 | 127 << 8, 41: 0}, ())], [({**keys, **LOOPED}, ())]))
    preset = bank.preset(0, False)
    sounding = [key for key in range(128) if bank.sounding(preset, key, 64)]
    assert sounding == list(range(70, 81))
    assert [v for v in range(1, 128) if bank.sounding(preset, 75, v)] == list(range(20, 101))


def test_layers_sound_together(tmp_path: Path) -> None:
    bank = bank_of(tmp_path, sf2([({41: 0}, ())], [({17: -500, **LOOPED}, ()), ({17: 500, 51: 12, **LOOPED}, ())]))
    sound = played(bank)[:RATE]
    peaks = [int(np.argmax(np.abs(np.fft.rfft(sound[:, side] * np.hanning(RATE))))) for side in (0, 1)]
    assert peaks == [441, 882]


def test_velocity_acts_by_default_and_as_a_file_overrides_it(tmp_path: Path) -> None:
    quiet, loud = (np.abs(played(bank_of(tmp_path, PLAIN), velocity=v)).max() for v in (64, 127))
    assert quiet == pytest.approx(loud), "a piece of one note is brought to full level"
    assert voice(bank_of(tmp_path, PLAIN)).velocity_power == 2
    halved = sf2([({41: 0}, ())], [(LOOPED, [(0x0502, 48, 480, 0)])])
    assert voice(bank_of(tmp_path, halved)).velocity_power == 1


def test_a_files_own_modulators_are_evaluated_at_the_onset(tmp_path: Path) -> None:
    by_velocity = sf2([({41: 0}, ())], [(LOOPED, [(0x0002, 52, 127, 0)])])  # a cent a step of velocity
    assert voice(bank_of(tmp_path, by_velocity), velocity=64).tone.cents == 64
    by_wheel = sf2([({41: 0}, ())], [(LOOPED, [(0x0081, 52, 127, 0)])])
    assert voice(bank_of(tmp_path, by_wheel), cc1=100).tone.cents == 100
    by_both = sf2([({41: 0}, ())], [(LOOPED, [(0x0002, 52, 127, 0x0081)])])
    assert voice(bank_of(tmp_path, by_both), velocity=64, cc1=64).tone.cents == pytest.approx(64 * 64 / 127)
    downwards = sf2([({41: 0}, ())], [(LOOPED, [(0x0102, 8, -1270, 0)])])
    assert voice(bank_of(tmp_path, downwards), velocity=27).tone.filter_cents == 12500
    dropped = sf2([({41: 0}, ())], [(LOOPED, [(0x0102, 8, -1270, 0x0D02)])])
    assert voice(bank_of(tmp_path, dropped), velocity=27).tone.filter_cents == 13500


@pytest.mark.parametrize("target", [41, 53, 54, 57, 58, 60, 0x8000])
def test_a_modulator_cannot_reach_what_stands_for_a_choice(tmp_path: Path, target: int) -> None:
    reaching = sf2([({41: 0}, ())], [(LOOPED, [(0x0002, target, 127, 0)])])
    assert voice(bank_of(tmp_path, reaching)) == voice(bank_of(tmp_path, PLAIN))


def test_the_volume_envelope_rises_and_falls_as_it_says(tmp_path: Path) -> None:
    gens = {34: -2400, 36: 0, 37: 200, **LOOPED}  # 0.25 s up, 96 dB a second down by 19.2 dB
    sound = np.abs(played(bank_of(tmp_path, sf2([({41: 0}, ())], [(gens, ())])))[:RATE, 0])
    level = sound.reshape(-1, PERIOD).max(axis=1)
    top = level.max()
    assert int(np.argmax(level)) == pytest.approx(0.25 * RATE / PERIOD, abs=2)
    assert level[round(0.125 * RATE / PERIOD)] / top == pytest.approx(0.5, abs=0.02)
    assert level[round(0.9 * RATE / PERIOD)] / top == pytest.approx(10 ** (-19.2 / 20), rel=0.05)


def test_the_filter_takes_away_what_lies_above_it(tmp_path: Path) -> None:
    low = bank_of(tmp_path, sf2([({41: 0}, ())], [({8: 4500, **LOOPED}, ())]))  # 110 Hz
    tone = voice(low).tone
    wave = sf_voice.render_wave(low, tone, RATE, RATE)[RATE // 4:RATE // 2]
    open_wave = sf_voice.render_wave(low, tone._replace(filter_cents=13500.0), RATE, RATE)[RATE // 4:RATE // 2]
    ratio = float(np.abs(wave).max() / np.abs(open_wave).max())
    assert ratio == pytest.approx((110 / 441) ** 2, rel=0.05), "12 dB an octave"


def test_an_envelope_on_the_filter_opens_and_closes_it(tmp_path: Path) -> None:
    gens = {8: 4500, 11: 6000, 27: -2400, 28: -2400, 29: 1000, **LOOPED}
    bank = bank_of(tmp_path, sf2([({41: 0}, ())], [(gens, ())]))
    level = np.abs(sf_voice.render_wave(bank, voice(bank).tone, RATE, RATE)).reshape(-1, PERIOD).max(axis=1)
    assert level[50] > 10 * level[300]
    assert np.all(np.diff(level[130:220:5]) < 0), "it closes steadily"


def test_drums_without_a_kit_are_silent_and_with_one_are_heard(tmp_path: Path) -> None:
    assert not played(bank_of(tmp_path, PLAIN), drums=True).any()
    kit = sf2([({41: 0}, ())], [(LOOPED, ())], bank=128)
    assert played(bank_of(tmp_path, kit), drums=True).any()


def test_name_and_licence_come_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.sf2"
    path.write_bytes(sf2([({41: 0}, ())], [(LOOPED, ())], info=chunk(b"INAM", b"My font\0") + chunk(
        b"ICOP", b"A. Maker 2020\0") + chunk(b"ICMT", b"Licensed under CC0.\0")))
    assert soundfont_info(path) == (path, "My font", "A. Maker 2020; Licensed under CC0.")
    path.write_bytes(PLAIN)
    assert soundfont_info(path).licence == "not stated in the file"


def test_a_recording_beside_zero_is_centred(tmp_path: Path) -> None:
    data = bytearray(PLAIN)
    start = data.index(b"smpl") + 8
    wave = np.frombuffer(data[start:start + 20 * PERIOD], "<i2") + 8000
    data[start:start + 20 * PERIOD] = wave.astype("<i2").tobytes()
    sound = played(bank_of(tmp_path, bytes(data)))
    assert np.abs(sound[RATE // 2:RATE // 2 + 20 * PERIOD].mean(axis=0)).max() < 0.002


# --- broken files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "words"), [
    (b"", "cannot read the soundfont"), (b"<html>", "is something else"), (bytes(5000), "is something else"),
    (PLAIN[:200], "cut short"), (PLAIN[:-100], "cut short"),
    (chunk(b"RIFF", b"sfbk"), "it has no 'phdr' part"),
    (sf2([({41: 7}, ())], [(LOOPED, ())]), "names instrument 7"),
    (sf2([({41: 0}, ())], [({53: 9}, ())]), "names sample 9"),
])
def test_a_broken_soundfont_is_one_clear_error(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "broken.sf2"
    path.write_bytes(data)
    with pytest.raises(ReadError, match=words) as caught:
        played(load_soundfont(path))
    assert "\n" not in str(caught.value)


@given(st.lists(st.tuples(st.integers(0, len(PLAIN) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_gives_sound_or_one_clear_error(tmp_path_factory: pytest.TempPathFactory,
                                                   damage: list[tuple[int, int]]) -> None:
    data = bytearray(PLAIN)
    tables = PLAIN.index(b"pdta")
    for place, value in damage:
        data[place if place % 4 == 0 else tables + place % (len(PLAIN) - tables)] = value
    path = tmp_path_factory.mktemp("fuzz") / "font.sf2"
    path.write_bytes(bytes(data))
    try:
        sound = played(load_soundfont(path))
    except PartimentoError:
        return
    assert np.isfinite(sound).all()


# --- finding -------------------------------------------------------------------------------------------------


def test_the_soundfont_that_was_asked_for_is_the_one_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, other = tmp_path / "asked.sf2", tmp_path / "other.sf2"
    for path in (asked, other):
        path.write_bytes(PLAIN)
    monkeypatch.setenv(soundfont.ENVIRONMENT, str(other))
    for wish, expected in ((asked, asked), (None, other)):
        found = find_soundfont(wish)
        assert found is not None
        assert found.path == expected


def test_one_that_is_missing_is_an_error_wherever_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReadError, match="there is no file"):
        find_soundfont(tmp_path / "none.sf2")
    monkeypatch.setenv(soundfont.ENVIRONMENT, str(tmp_path / "none.sf2"))
    with pytest.raises(ReadError, match="there is no file"):
        find_soundfont()


def test_the_best_known_one_installed_is_found_and_a_broken_one_passed_over(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(soundfont.ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont, "_folders", lambda: [tmp_path, tmp_path / "absent"])
    for name, data in (("FluidR3_GM.sf2", PLAIN), ("MuseScore_General.sf3", b"broken"), ("stranger.sf2", PLAIN)):
        (tmp_path / name).write_bytes(data)
    found = find_soundfont()
    assert found is not None
    assert (found.path.name, found.name, found.licence) == ("FluidR3_GM.sf2", "FluidR3_GM", "MIT")


def test_the_pretty_midi_package_carries_one(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("pretty_midi") is None:
        pytest.skip("pretty_midi is not installed")
    monkeypatch.delenv(soundfont.ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont, "_folders", list)
    found = find_soundfont()
    assert found is not None
    assert (found.name, found.licence) == ("TimGM6mb", "GPL-2.0")
    bank = load_soundfont(found.path)
    assert {(0, program) for program in range(128)} | {(128, 0)} <= bank.presets
    sound = played(bank, pitch=69)
    spectrum = np.abs(np.fft.rfft(sound[:RATE].mean(axis=1) * np.hanning(RATE), 1 << 18))[2560:2680]
    assert (2560 + int(np.argmax(spectrum))) * RATE / (1 << 18) == pytest.approx(440, rel=0.0015)


def test_without_any_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(soundfont.ENVIRONMENT, raising=False)
    monkeypatch.setattr(soundfont, "_folders", list)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_soundfont() is None
