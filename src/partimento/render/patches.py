"""A few synthesised instruments and a drum kit, played where no soundfont is found, so that there is always sound.

Each pitched patch is a spectrum, looped over whole periods at eight root keys, with envelopes and a filter from the
same generators that a soundfont uses. Nothing here is recorded: all of it is computed when it is first played.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.render.soundfont import DRUM_BANK, Bank, FloatArray, Sample, SoundFontInfo, Zone, zone

RATE = 44100
ROOTS = (24, 36, 48, 60, 72, 84, 96, 108)
LEVEL = 0.3  # root mean square of a looped spectrum
Samples = npt.NDArray[np.float64]


class Patch(NamedTuple):
    """The spectrum of an instrument and how it moves."""

    slope: float  # partial k has amplitude k^−slope
    even: float = 1.0  # what the even partials are multiplied by
    partials: int = 40
    stretch: float = 0.0  # inharmonicity B: partial k lies at k·√(1 + B·k²)
    chorus: int = 0  # copies beside the true pitch, each a loop's beat apart
    attack: float = 0.002  # seconds
    decay: float = 0.0  # seconds for a fall of 96 dB; 0 sustains
    release: float = 0.4
    bright: int = 13500  # the filter's resting corner, absolute cents
    opening: int = 0  # cents that the envelope opens it by at first
    closing: float = 0.5  # seconds it takes to close again
    vibrato: int = 0  # cents
    level: int = 0  # centibels down


PIANO, MALLET, ORGAN, GUITAR, BASS, STRINGS, BRASS, REED, FLUTE, LEAD, PAD = PATCHES = (
    Patch(1.15, partials=32, stretch=2e-4, chorus=1, decay=14, release=0.5, bright=8200, opening=3600, closing=3.0),
    Patch(2.2, partials=10, stretch=2e-2, decay=5, release=1.5, bright=9500, opening=2500, closing=0.6),
    Patch(1.3, even=1.3, partials=9, chorus=1, attack=0.01, release=0.12, level=30),
    Patch(0.9, partials=40, stretch=5e-5, decay=7, release=0.4, bright=7600, opening=4200, closing=1.2),
    Patch(1.2, partials=24, decay=16, release=0.2, bright=6600, opening=3000, closing=0.6, level=-20),
    Patch(1.05, partials=40, chorus=2, attack=0.09, release=0.5, bright=9800, vibrato=6, level=30),
    Patch(0.85, partials=32, attack=0.04, release=0.2, bright=8300, opening=2200, closing=1.5, vibrato=4, level=30),
    Patch(0.8, even=0.25, partials=24, attack=0.03, release=0.15, bright=9300, vibrato=5, level=20),
    Patch(2.4, even=0.6, partials=8, attack=0.05, release=0.15, vibrato=7),
    Patch(1.0, partials=40, chorus=1, attack=0.005, release=0.15, bright=9000, opening=2400, closing=0.4, level=40),
    Patch(1.3, partials=24, chorus=2, attack=0.35, release=1.2, bright=8600, level=30),
)
# The patch of each General MIDI program, eight to a family; then the programs that differ from their family.
_FAMILIES = (PIANO, MALLET, ORGAN, GUITAR, BASS, STRINGS, STRINGS, BRASS, REED, FLUTE, LEAD, PAD, PAD, GUITAR, MALLET,
             PAD)
_SINGLE = {6: GUITAR, 7: GUITAR, 38: LEAD, 39: LEAD, 45: GUITAR, 46: GUITAR, 47: MALLET, 52: PAD, 53: PAD, 54: PAD,
           55: BRASS, 109: REED, 110: STRINGS, 111: REED}


@functools.cache
def built_in() -> Bank:
    """Return the built-in patches as a Bank: every General MIDI program, and one drum kit.

    >>> bank = built_in()
    >>> bank.info.name, len(bank.presets)
    ('built-in patches', 129)
    """
    info = SoundFontInfo(Path("built-in"), "built-in patches", "MIT, synthesised by partimento itself")
    loops = [_loop_length(root) for root in ROOTS]
    samples = [Sample(f"{p}:{root}", 0, 3 * n, n, 2 * n, RATE, root, 0)
               for p in range(len(PATCHES)) for root, n in zip(ROOTS, loops, strict=True)]
    samples += [Sample(name, 0, 0, 0, 0, RATE, 60, 0) for name in DRUMS]
    presets = [(0, program) for program in range(128)] + [(DRUM_BANK, 0)]
    return Bank(info, samples, presets, _zones, _wave)


def _patch(program: int) -> Patch:
    return _SINGLE.get(program, _FAMILIES[program // 8])


def _timecents(seconds: float) -> int:
    return round(1200 * math.log2(max(seconds, 1e-3)))


def _zones(preset: tuple[int, int]) -> Sequence[Zone]:
    if preset[0] == DRUM_BANK:
        return _drum_zones()
    patch = _patch(preset[1])
    first = PATCHES.index(patch) * len(ROOTS)
    out = []
    for i, root in enumerate(ROOTS):
        keys = (0 if i == 0 else root - 6, 127 if i == len(ROOTS) - 1 else root + 5)
        # higher keys are struck brighter and die sooner, as strings and bars do
        high = root - 60
        out.append(zone(
            first + i, keys=keys, sample_modes=1, attenuation=max(0, 100 + patch.level),
            attack_vol_env=_timecents(patch.attack), release_vol_env=_timecents(patch.release),
            decay_vol_env=_timecents(patch.decay * 2 ** (-high / 30)) if patch.decay else 0,
            sustain_vol_env=1000 if patch.decay else 0,
            filter_fc=min(13500, patch.bright + 40 * high), mod_env_to_fc=patch.opening,
            attack_mod_env=-12000, decay_mod_env=_timecents(patch.closing), sustain_mod_env=1000,
            vib_lfo_to_pitch=patch.vibrato, delay_vib_lfo=_timecents(0.35), freq_vib_lfo=-560))
    return out


def _loop_length(root: int) -> int:
    """A loop of about half a second that holds a whole number of periods of `root`, in samples."""
    hertz = 440 * 2 ** ((root - 69) / 12)
    return round(round(hertz / 2) * RATE / hertz)


def _wave(index: int) -> FloatArray:
    """Sample `index` of the built-in Bank: three rounds of a looped spectrum, or a drum."""
    if index >= len(PATCHES) * len(ROOTS):
        return DRUMS[list(DRUMS)[index - len(PATCHES) * len(ROOTS)]]().astype(np.float32)
    patch, root = PATCHES[index // len(ROOTS)], ROOTS[index % len(ROOTS)]
    n = _loop_length(root)
    cycles = round(440 * 2 ** ((root - 69) / 12) / 2)
    rng = np.random.Generator(np.random.PCG64(index))
    spectrum = np.zeros(n // 2 + 1, np.complex128)
    for k in range(1, patch.partials + 1):
        if k * cycles * RATE / n > 15000:
            break
        amplitude = k**-patch.slope * (patch.even if k % 2 == 0 else 1)
        place = round(cycles * k * math.sqrt((1 + patch.stretch * k * k) / (1 + patch.stretch)))
        beats = [0] + [side * b for b in range(1, patch.chorus + 1) for side in (-1, 1)]
        for beat in beats:
            share = 1.0 if beat == 0 else 0.35
            at = place + beat * max(1, k // 4)
            if 0 < at < len(spectrum):
                spectrum[at] += share * amplitude * np.exp(2j * np.pi * rng.random())
    cycle = np.fft.irfft(spectrum, n)
    return np.tile(cycle * LEVEL / np.sqrt((cycle**2).mean()), 3).astype(np.float32)


# --- drums ---------------------------------------------------------------------------------------------------


def _time(seconds: float) -> Samples:
    return np.arange(round(seconds * RATE)) / RATE


def _noise(seconds: float, low: float, high: float, seed: int) -> Samples:
    """Noise between two frequencies in Hz, of root mean square 1."""
    n = round(seconds * RATE)
    rng = np.random.Generator(np.random.PCG64(seed))
    hertz = np.fft.rfftfreq(n, 1 / RATE)
    shape = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * shape, n)
    return np.asarray(noise / np.sqrt((noise**2).mean()))


def _fall(t: Samples, seconds: float) -> Samples:
    """An exponential that has fallen by 60 dB after `seconds`, with an onset of half a millisecond."""
    return np.asarray(10 ** (-3 * t / seconds) * np.minimum(t / 0.0005, 1))


def _skin(seconds: float, low: float, high: float, drop: float) -> Samples:
    """A struck skin: a sine that drops from `high` to `low` Hz with time constant `drop` seconds."""
    t = _time(seconds)
    phase = low * t + (high - low) * drop * (1 - np.exp(-t / drop))
    return np.asarray(np.sin(2 * np.pi * phase) * _fall(t, seconds))


def _metal(seconds: float, seed: int) -> Samples:
    """Struck metal: square waves in no simple ratio, their low end taken away, and some noise."""
    t = _time(seconds)
    squares = sum(np.sign(np.sin(2 * np.pi * f * t)) for f in (2053.0, 3041.0, 3697.0, 5229.0, 5407.0, 8001.0))
    spectrum = np.fft.rfft(np.asarray(squares))
    spectrum *= np.clip((np.fft.rfftfreq(len(t), 1 / RATE) - 4000) / 3000, 0, 1)
    rung = np.fft.irfft(spectrum, len(t))
    return np.asarray((0.5 * rung / np.sqrt((rung**2).mean()) + 0.8 * _noise(seconds, 5000, 15000, seed))
                      * _fall(t, seconds))


def _kick() -> Samples:
    return np.asarray(0.9 * _skin(0.4, 48, 190, 0.028) + 0.05 * _noise(0.4, 1500, 6000, 1) * _fall(_time(0.4), 0.03))


def _snare() -> Samples:
    t = _time(0.35)
    tone = 0.35 * _skin(0.35, 185, 260, 0.02) * _fall(t, 0.2) + 0.15 * np.sin(2 * np.pi * 331 * t) * _fall(t, 0.12)
    return np.asarray(1.8 * tone + 0.4 * _noise(0.35, 900, 9000, 2) * _fall(t, 0.28))


def _clap() -> Samples:
    t = _time(0.3)
    bursts = sum(_fall(np.maximum(t - at, 0), 0.03) * (t >= at) for at in (0.0, 0.011, 0.023))
    return np.asarray(0.4 * _noise(0.3, 900, 3500, 3) * (bursts + 0.7 * _fall(np.maximum(t - 0.03, 0), 0.25)))


def _stick() -> Samples:
    t = _time(0.08)
    return np.asarray((0.6 * np.sin(2 * np.pi * 1710 * t) + 0.2 * _noise(0.08, 1200, 7000, 4)) * _fall(t, 0.06))


def _bell() -> Samples:
    t = _time(0.4)
    return np.asarray(0.15 * (np.sign(np.sin(2 * np.pi * 545 * t)) + np.sign(np.sin(2 * np.pi * 815 * t)))
                      * _fall(t, 0.35))


DRUMS: dict[str, Callable[[], Samples]] = {
    "kick": _kick, "snare": _snare, "clap": _clap, "stick": _stick, "bell": _bell,
    "tom": lambda: 0.8 * _skin(0.7, 100, 160, 0.05),
    "hand": lambda: 0.45 * _skin(0.3, 210, 270, 0.02),
    "closed hat": lambda: 0.2 * _metal(0.09, 5),
    "open hat": lambda: 0.13 * _metal(0.6, 6),
    "crash": lambda: 0.2 * _metal(2.2, 7),
    "ride": lambda: 0.09 * _metal(1.4, 8),
    "shaker": lambda: 0.15 * _noise(0.1, 4000, 12000, 9) * _fall(_time(0.1), 0.09),
}
# Which sound each key of the kit makes; pan in thousandths to one side; keys that are not named play the stick.
_KIT = {"kick": (35, 36), "snare": (38, 40), "clap": (39,), "bell": (53, 56, 67, 68, 80, 81),
        "tom": (41, 43, 45, 47, 48, 50), "hand": (60, 61, 62, 63, 64, 65, 66, 78, 79, 86, 87), "closed hat": (42, 44),
        "open hat": (46,), "crash": (49, 52, 55, 57), "ride": (51, 59), "shaker": (54, 58, 69, 70, 73, 74, 82)}
_PLACES = {"closed hat": -120, "open hat": -120, "crash": 180, "ride": 220, "shaker": -200, "hand": 150, "tom": 80}


@functools.cache
def _drum_zones() -> tuple[Zone, ...]:
    sound_of = {key: name for name, keys in _KIT.items() for key in keys}
    out = []
    for key in range(128):
        name = sound_of.get(key, "stick")
        tuned = {"tom": 45, "hand": 62}.get(name)
        out.append(zone(
            len(PATCHES) * len(ROOTS) + list(DRUMS).index(name), keys=(key, key), attenuation=30,
            root_key=tuned or key, scale_tuning=100 if tuned else 0, pan=_PLACES.get(name, 0),
            release_vol_env=_timecents(3.0), exclusive_class=1 if key in (42, 44, 46) else 0))
    return tuple(out)
