"""From a zone of a soundfont to sound: what a note makes of the generators, its envelopes, and its wave.

Units as in the *SoundFont Technical Specification 2.04*: times in timecents (2^(x/1200) s), levels in centibels,
pitches in cents, frequencies in absolute cents (8.176 Hz · 2^(x/1200)). Where the specification leaves room
(how attenuation counts, the shape of the filter's gain) the choice is the one fluidsynth made, so that soundfonts
sound as their makers heard them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.render import soundfont as sf
from partimento.render.soundfont import Bank, FloatArray, Zone

EMU_ATTENUATION = 0.4  # soundfonts are made for hardware that took initialAttenuation at 4/10 of its value
ENVELOPE_DB = 96.0  # what an envelope falls over its decay or release time
SILENT_DB = 84.0  # a note that has fallen this far has ended
OPEN_FILTER = 13400  # absolute cents (18.8 kHz): a filter open this far is left out
FASTEST = 64.0  # frames of a sample read in one sample of sound
FRAME = 1024  # of the moving filter, in samples; windows overlap by half
CHUNK = 8192


class Envelope(NamedTuple):
    """Delay, attack, hold and decay in seconds, and the sustain level (dB down, or 0…1 for modulation)."""

    delay: float
    attack: float
    hold: float
    decay: float
    sustain: float


class Lfo(NamedTuple):
    """A triangle from 0 upwards: delay in seconds, frequency in Hz."""

    delay: float
    hertz: float

    def at(self, seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Its value, −1…1, at each time."""
        phase = np.maximum(seconds - self.delay, 0) * self.hertz + 0.25
        return np.asarray(1 - 4 * np.abs(phase - np.floor(phase) - 0.5))


class Tone(NamedTuple):
    """All that shapes a note's wave before its volume: equal tones are rendered once."""

    sample: int
    window: tuple[int, int]  # frames into the sample
    loop: tuple[int, int] | None  # frames into the window
    cents: float  # from the sample's own pitch
    filter_cents: float
    filter_db: float
    mod_envelope: Envelope
    mod_lfo: Lfo
    vibrato: Lfo
    pitch_by: tuple[float, float, float]  # cents by modulation envelope, modulation LFO, vibrato LFO
    filter_by: tuple[float, float]  # cents by modulation envelope, modulation LFO


class Contour(NamedTuple):
    """The volume of a note over time, up to its release: equal shapes are computed once."""

    envelope: Envelope
    tremolo: float  # dB
    lfo: Lfo


class Voice(NamedTuple):
    """One zone sounding for one note: what it plays, how loud and where, and how it ends."""

    tone: Tone
    shape: Contour
    gain: float  # 0…1, at full velocity
    velocity_power: float  # the gain is multiplied by (velocity / 127) to this power
    pan: float  # −1 left … 1 right, at pan controller in the middle
    pan_by_controller: float
    release: float  # seconds for a fall of ENVELOPE_DB
    exclusive: int
    wheel_cents: float  # depth of vibrato at full modulation wheel


def _seconds(timecents: float, low: float = -12000) -> float:
    return 0.0 if timecents <= -12000 == low else float(2 ** (min(max(timecents, low), 8000) / 1200))


def _hertz(cents: float) -> float:
    return float(8.1757989 * 2 ** (min(max(cents, -16000), 4500) / 1200))


def _limited(value: float) -> float:
    return float(min(max(value, -12000), 12000))


# --- modulators ----------------------------------------------------------------------------------------------


def _source(code: int, key: int, velocity: int, controllers: Mapping[int, int]) -> float:
    """The value of a modulator's source: 0…1, or −1…1 when bipolar (8.2, with the curves of 8.2.1)."""
    index = code & 0x7F
    if code & 0x80:
        raw = controllers.get(index, 0)
    elif index == 0:
        return 1.0
    else:
        raw = {2: velocity, 3: key}.get(index, 64 if index == 14 else 0)
    x = raw / 127
    if code & 0x100:
        x = 1 - x
    curve = code >> 10
    if code & 0x200:
        if curve in (1, 2):
            side = _curve(curve, abs(2 * x - 1))
            return side if x >= 0.5 else -side
        return 2 * x - 1 if curve == 0 else (1.0 if x >= 0.5 else -1.0)
    return _curve(curve, x)


def _curve(curve: int, x: float) -> float:
    if curve == 1:  # concave
        return 1.0 if x >= 1 else min(1.0, -40 / 96 * math.log10(1 - x))
    if curve == 2:  # convex
        return 0.0 if x <= 0 else max(0.0, 1 + 40 / 96 * math.log10(x))
    return x if curve == 0 else float(x >= 0.5)


# Left to the mixer; and the default of 2.01 from velocity to filter, which 2.04 dropped and players ignore.
_ELSEWHERE = {sf.MOD_WHEEL_TO_VIBRATO, sf.PRESSURE_TO_VIBRATO, sf.VELOCITY_TO_ATTENUATION, sf.PAN_TO_PAN,
              (0x0102, sf.FILTER_FC, 0x0D02)}
# What stands for a choice, not an amount, and so is out of a modulator's reach.
_FIXED = {sf.INSTRUMENT, sf.KEY_RANGE, sf.VELOCITY_RANGE, sf.FIXED_KEY, sf.FIXED_VELOCITY, sf.SAMPLE_ID,
          sf.SAMPLE_MODES, sf.EXCLUSIVE_CLASS, sf.ROOT_KEY}


def depends_on(zone: Zone) -> bool:
    """Whether the zone's modulators make a voice depend on more than key and zone: velocity or controllers."""
    return any(amount and key not in _ELSEWHERE for key, amount in zone.modulators.items())


def _modulated(zone: Zone, key: int, velocity: int, controllers: Mapping[int, int]) -> npt.NDArray[np.float64]:
    """The zone's generators with what its modulators add at the onset; attenuation by volume is left to the mixer."""
    values = zone.generators.astype(np.float64)
    values[sf.ATTENUATION] *= EMU_ATTENUATION
    for code, amount in zone.modulators.items():
        source, target, by = code
        if code in _ELSEWHERE or target in _FIXED or target >= sf.N_GENERATORS or not source & 0xFF:
            continue
        if source & 0x80 and source & 0x7F in (7, 11) and target == sf.ATTENUATION:
            continue
        values[target] += (amount * _source(source, key, velocity, controllers)
                           * _source(by, key, velocity, controllers))
    return values


def make_voice(bank: Bank, zone: Zone, key: int, velocity: int, controllers: Mapping[int, int]) -> Voice | None:
    """Return the voice that `zone` gives for a note, at velocity gain 1; None when its sample is empty."""
    g = _modulated(zone, key, velocity, controllers)
    sample = bank.samples[int(g[sf.SAMPLE_ID])]
    frames = len(bank.wave(int(g[sf.SAMPLE_ID])))
    base = 0 if sample.vorbis else sample.start
    first = min(max(int(g[sf.START] + 32768 * g[sf.START_COARSE]), 0), frames)
    last = min(max(int(frames + g[sf.END] + 32768 * g[sf.END_COARSE]), 0), frames)
    if last - first < 4 or sample.rate <= 0:
        return None
    loop_start = int(sample.loop_start - base + g[sf.LOOP_START] + 32768 * g[sf.LOOP_START_COARSE]) - first
    loop_end = int(sample.loop_end - base + g[sf.LOOP_END] + 32768 * g[sf.LOOP_END_COARSE]) - first
    looped = int(g[sf.SAMPLE_MODES]) & 1 and 0 <= loop_start < loop_end - 1 and loop_end <= last - first
    sounding = int(g[sf.FIXED_KEY]) if g[sf.FIXED_KEY] >= 0 else key
    root = g[sf.ROOT_KEY] if g[sf.ROOT_KEY] >= 0 else (sample.root if sample.root < 128 else 60)
    cents = (g[sf.SCALE_TUNING] * (sounding - root) + 100 * g[sf.COARSE_TUNE] + g[sf.FINE_TUNE]
             + (sample.correction if abs(sample.correction) < 100 else 0))
    mod_lfo = Lfo(_seconds(g[sf.DELAY_MOD_LFO]), _hertz(g[sf.FREQ_MOD_LFO]))
    vibrato = Lfo(_seconds(g[sf.DELAY_VIB_LFO]), _hertz(g[sf.FREQ_VIB_LFO]))
    mod_envelope = Envelope(_seconds(g[sf.DELAY_MOD_ENV]), _seconds(g[sf.ATTACK_MOD_ENV]),
                            _seconds(g[sf.HOLD_MOD_ENV] + g[sf.KEY_TO_MOD_HOLD] * (60 - sounding)),
                            _seconds(g[sf.DECAY_MOD_ENV] + g[sf.KEY_TO_MOD_DECAY] * (60 - sounding)),
                            1 - min(max(g[sf.SUSTAIN_MOD_ENV], 0), 1000) / 1000)
    volume = Envelope(_seconds(g[sf.DELAY_VOL_ENV]), _seconds(g[sf.ATTACK_VOL_ENV]),
                      _seconds(g[sf.HOLD_VOL_ENV] + g[sf.KEY_TO_VOL_HOLD] * (60 - sounding)),
                      _seconds(g[sf.DECAY_VOL_ENV] + g[sf.KEY_TO_VOL_DECAY] * (60 - sounding)),
                      min(max(g[sf.SUSTAIN_VOL_ENV], 0), 1000) / 1000 * ENVELOPE_DB)
    pitch_by = _limited(g[sf.MOD_ENV_TO_PITCH]), _limited(g[sf.MOD_LFO_TO_PITCH]), _limited(g[sf.VIB_LFO_TO_PITCH])
    filter_by = _limited(g[sf.MOD_ENV_TO_FC]), _limited(g[sf.MOD_LFO_TO_FC])
    filter_db = min(max(g[sf.FILTER_Q], 0), 960) / 10
    tone = Tone(int(g[sf.SAMPLE_ID]), (first, last), (loop_start, loop_end) if looped else None, _limited(cents),
                float(25 * round(g[sf.FILTER_FC] / 25)), filter_db, mod_envelope, mod_lfo, vibrato, pitch_by, filter_by)
    return Voice(tone, Contour(volume, min(max(float(g[sf.MOD_LFO_TO_VOLUME]) / 10, -96), 96), mod_lfo),
                 10 ** (-min(max(g[sf.ATTENUATION], -1440), 1440) / 200),
                 zone.modulators.get(sf.VELOCITY_TO_ATTENUATION, 960) / 480, g[sf.PAN] / 500,
                 zone.modulators.get(sf.PAN_TO_PAN, 500) / 500, _seconds(g[sf.RELEASE_VOL_ENV], -7200),
                 int(g[sf.EXCLUSIVE_CLASS]), float(zone.modulators.get(sf.MOD_WHEEL_TO_VIBRATO, 50)))


# --- envelopes -----------------------------------------------------------------------------------------------


def exponential(n: int, decibels: float) -> FloatArray:
    """`n` amplitudes from 1 on that change by so many dB a sample (float32[n])."""
    return np.asarray(np.exp(np.arange(n, dtype=np.float32) * np.float32(decibels * math.log(10) / 20)))


def volume_curve(shape: Contour, n: int, rate: int) -> FloatArray:
    """Amplitude, 0…1, of the first `n` samples of a held note; shorter where the note dies before (float32)."""
    envelope = shape.envelope
    a, b, c = (round(t * rate) for t in np.cumsum(envelope[:3]))
    fall = ENVELOPE_DB / max(envelope.decay * rate, 1)  # dB a sample
    if envelope.sustain >= SILENT_DB:
        n = min(n, c + int(SILENT_DB / fall) + 1)
    curve = np.ones(n, np.float32)
    curve[:a] = 0
    curve[a:b] = (np.arange(b - a, dtype=np.float32) / np.float32(b - a))[:max(n - a, 0)]
    if n > c:
        d = min(n, c + int(envelope.sustain / fall) + 1)
        curve[c:d] = exponential(d - c, -fall)
        curve[d:] = 10 ** (-envelope.sustain / 20)
    if shape.tremolo:
        curve *= 10 ** (shape.lfo.at(np.arange(n) / rate) * shape.tremolo / 20)
    return curve


def modulation_curve(envelope: Envelope, seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The value, 0…1, of a modulation envelope at each time of a held note (convex attack, straight decay)."""
    start, top, hold = np.cumsum(envelope[:3])
    at = [start, hold, hold + envelope.decay * (1 - envelope.sustain)]
    values = np.interp(seconds, at, [1.0, 1.0, envelope.sustain])
    if envelope.attack > 0:
        x = np.clip((seconds - start) / envelope.attack, 1e-6, 1)
        values = np.where(seconds < top, np.clip(1 + 40 / 96 * np.log10(x), 0, 1), values)
    return np.asarray(np.where(seconds < start, 0.0, values))


# --- the wave ------------------------------------------------------------------------------------------------


def render_wave(bank: Bank, tone: Tone, n: int, rate: int, bend: npt.NDArray[np.float64] | None = None) -> FloatArray:
    """The first `n` samples of a tone at `rate`, pitched, looped and filtered, before its volume (float32).

    Shorter than `n` where the sample ends. `bend`: cents to add at each of the n samples.
    """
    step = min(bank.samples[tone.sample].rate / rate * 2 ** (tone.cents / 1200), FASTEST)
    steps: npt.NDArray[np.float64] | None = None
    if bend is not None or any(tone.pitch_by):
        grid = np.arange(0, n + 63, 64)
        seconds = grid / rate
        by_envelope, by_lfo, by_vibrato = tone.pitch_by
        cents = (by_envelope * modulation_curve(tone.mod_envelope, seconds) + by_lfo * tone.mod_lfo.at(seconds)
                 + by_vibrato * tone.vibrato.at(seconds))
        moving = np.interp(np.arange(n), grid, cents)
        if bend is not None:
            moving += bend
        steps = np.minimum(step * np.exp2(moving / 1200), FASTEST)
    reach = (step * n if steps is None else float(steps.sum())) + 4
    data = bank.wave(tone.sample)[tone.window[0]:tone.window[1]]
    if tone.loop:
        start, end = tone.loop
        times = max(0, math.ceil((reach - end) / (end - start))) + 1
        data = np.concatenate([data[:end], np.tile(data[start:end], times)])[:int(reach) + 4]
    wave = _interpolate(data, step, steps, n)
    if not tone.loop:
        fade = min(len(wave), rate // 500)
        wave[len(wave) - fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return _filtered(wave, tone, rate)


def _interpolate(data: FloatArray, step: float, steps: npt.NDArray[np.float64] | None, n: int) -> FloatArray:
    """Read `data` at positions 0, step, 2·step … with third-order Hermite interpolation over four points."""
    if steps is None:
        n = min(n, int((len(data) - 1) / step) + 1)
        if step == 1.0:
            return data[:n].copy()
        places = np.arange(CHUNK) * step
    else:
        positions = np.cumsum(steps) - steps[0]
        n = int(np.searchsorted(positions, len(data) - 1, side="right"))
    padded = np.concatenate([data[:1], data, np.zeros(2, np.float32)])
    taps = [padded[k:] for k in range(4)]
    out = np.empty(n, np.float32)
    y0, y1, y2, y3, t = (np.empty(CHUNK, np.float32) for _ in range(5))
    for lo in range(0, n, CHUNK):
        m = min(CHUNK, n - lo)
        at = places[:m] + lo * step if steps is None else positions[lo:lo + m]
        index = at.astype(np.intp)
        x = (at - index).astype(np.float32)
        a, b, c, d, u = y0[:m], y1[:m], y2[:m], y3[:m], t[:m]
        for tap, into in zip(taps, (a, b, c, d), strict=True):
            np.take(tap, index, out=into, mode="clip")
        # b + x/2·(c − a + x·(2a − 5b + 4c − d + x·(3(b − c) + d − a)))
        np.subtract(b, c, out=u)
        u *= 3
        u += d
        u -= a
        u *= x
        u += 2 * a
        u -= 5 * b
        u += 4 * c
        u -= d
        u *= x
        u += c
        u -= a
        u *= x
        u *= 0.5
        np.add(u, b, out=out[lo:lo + m])
    return out


def _filtered(wave: FloatArray, tone: Tone, rate: int) -> FloatArray:
    """The wave through the zone's resonant low-pass, whose corner may move with envelope and LFO.

    Half-overlapping Hann windows, each multiplied in frequency by the response of the two-pole filter of R.
    Bristow-Johnson's *Cookbook formulae for audio EQ biquad filter coefficients* at its middle. Where the corner
    stays open the wave comes back as it is.
    """
    hop = FRAME // 2
    frames = -(-len(wave) // hop) + 1
    seconds = np.arange(frames) * hop / rate
    corner = np.full(frames, tone.filter_cents)
    if tone.filter_by[0]:
        corner += tone.filter_by[0] * modulation_curve(tone.mod_envelope, seconds)
    if tone.filter_by[1]:
        corner += tone.filter_by[1] * tone.mod_lfo.at(seconds)
    corner = 25 * np.round(np.clip(corner, 1500, 14000) / 25)
    q = 10 ** ((tone.filter_db - 3.01) / 20)
    if corner.min() >= OPEN_FILTER or len(wave) == 0:
        wave *= np.float32(1 / math.sqrt(q))
        return wave
    used, which = np.unique(corner, return_inverse=True)
    omega = 2 * np.pi * np.minimum(8.1757989 * 2 ** (used / 1200), 0.45 * rate) / rate
    cosine, alpha = np.cos(omega)[:, None], (np.sin(omega) / (2 * q))[:, None]
    z = np.exp(-1j * np.pi * np.arange(hop + 1) / hop)[None, :]
    response = ((1 - cosine) / 2 * (1 + z) ** 2 / (1 + alpha - 2 * cosine * z + (1 - alpha) * z * z)
                / math.sqrt(q)).astype(np.complex64)
    padded = np.zeros((frames + 1) * hop, np.float32)
    padded[hop:hop + len(wave)] = wave
    window = np.hanning(FRAME + 1)[:FRAME].astype(np.float32)
    out = np.zeros((frames + 1) * hop, np.float32)
    for lo in range(0, frames, 64):
        hi = min(frames, lo + 64)
        view = np.lib.stride_tricks.sliding_window_view(padded[lo * hop:(hi + 1) * hop], FRAME)[::hop]
        spectrum = np.fft.rfft(view * window)
        spectrum *= response[which[lo:hi]]
        parts = np.fft.irfft(spectrum, FRAME)
        out[lo * hop:hi * hop] += parts[:, :hop].ravel()
        out[(lo + 1) * hop:(hi + 1) * hop] += parts[:, hop:].ravel()
    return out[hop:hop + len(wave)]
