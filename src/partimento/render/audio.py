"""Sound: a Score played through a soundfont with numpy alone, and written as WAV, FLAC, OGG or MP3."""

from __future__ import annotations

import functools
import io
import math
import os
import zlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError, WriteError, nearest
from partimento.formats.files import check_target, write_bytes
from partimento.render import sf_voice
from partimento.render.patches import built_in
from partimento.render.sf_performance import Channel, Performance
from partimento.render.sf_voice import Contour, Lfo, Tone, Voice
from partimento.render.soundfont import Bank, FloatArray, find_soundfont, load_soundfont
from partimento.score import Score

FORMATS = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"),
           "mp3": ("MP3", "MPEG_LAYER_III")}
PEAK = 10 ** (-1 / 20)  # 1 dB below full scale
LONGEST = 3600.0  # seconds of music in one file
LONGEST_TAIL = 12.0  # seconds that may sound after the end
WET = 0.03  # of the reverb: its impulse response has this root energy; about −13 dB beside the dry sound of a song
REVERB_SECONDS = 1.4
VELOCITY_STEP = 4  # velocities so near have one timbre where the soundfont makes it depend on velocity; level is exact


class _Strike(NamedTuple):
    """A voice on the tape: its track, first sample, samples held, gains, seconds of release.

    `wheel_cents` is None unless its pitch moves by bend or wheel: then it has a wave of its own.
    """

    track: int
    start: int
    hold: int
    left: float
    right: float
    release: float
    wheel_cents: float | None


def render_audio(score: Score, *, soundfont: str | os.PathLike[str] | Bank | None = None, rate: int = 44100,
                 loop: bool = False, reverb: bool = True) -> FloatArray:
    """Return the sound of `score` as float32[n, 2] in −1…1, its peak 1 dB below full scale.

    `soundfont` is a file or a Bank; without one the best found is played (`find_soundfont`), or else the built-in
    patches. `rate` is in samples a second, 8000 to 192000. With `loop` there are exactly
    round(rate · seconds of the piece) samples, and what rings past the end is folded into the beginning, so that
    it repeats without a seam. The same score, soundfont and platform give the same samples.

    >>> score = Score(onset=[0], duration=[480], pitch=[69], velocity=[80], track=[0])
    >>> render_audio(score, loop=True).shape
    (22050, 2)
    """
    if not 8000 <= rate <= 192000:
        raise RequestError(f"the sample rate must lie in 8000..192000; got {rate}")
    seconds = float(score.seconds(score.end))
    if seconds > LONGEST:
        raise RequestError(f"a piece must last at most {LONGEST // 60:.0f} minutes to be played; "
                           f"this one lasts {seconds / 60:.0f}")
    bank = _bank(soundfont)
    length = round(rate * seconds)
    if not len(score) or not length:
        return np.zeros((length, 2), np.float32)
    mixed = _mix(score, bank, rate, length + round(LONGEST_TAIL * rate))
    if reverb:
        _add_room(mixed, rate)
    _remove_offset(mixed, rate)
    if loop:
        turns = -(-mixed.shape[1] // length)
        mixed = np.pad(mixed, ((0, 0), (0, turns * length - mixed.shape[1]))).reshape(2, turns, length).sum(axis=1)
    peak = max(float(mixed.max()), -float(mixed.min()))
    mixed *= np.float32(PEAK / max(peak, 1e-12))
    return np.stack(list(mixed if loop else _ended(mixed, length, rate)), axis=1)


def _bank(soundfont: str | os.PathLike[str] | Bank | None) -> Bank:
    if isinstance(soundfont, Bank):
        return soundfont
    found = find_soundfont(soundfont)
    return load_soundfont(found.path) if found else built_in()


def _ended(sound: FloatArray, length: int, rate: int) -> FloatArray:
    """`sound` cut where it has died away, never before the piece ends, with a soft fade there."""
    loud = np.flatnonzero(np.abs(sound[:, length:]).max(axis=0) > 1e-4)
    rest = int(loud[-1]) + 1 if len(loud) else 0
    fade = min(rest, rate // 5)
    out = sound[:, :length + rest]
    if fade:
        out[:, -fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    return out


# --- voices --------------------------------------------------------------------------------------------------


def _strikes(play: Performance, bank: Bank) -> dict[tuple[Tone, Contour], list[_Strike]]:
    """Every voice of every note, those that share a wave together."""
    score = play.score
    voices: dict[tuple[Any, ...], Voice | None] = {}
    depends = functools.cache(lambda preset, index: sf_voice.depends_on(bank.zones(preset)[index]))
    sounding = functools.cache(bank.sounding)
    controllers_at = functools.cache(lambda track, tick: play.channels[track].controllers_at(tick))
    groups: dict[tuple[Tone, Contour], list[_Strike]] = defaultdict(list)
    exclusive: dict[tuple[int, tuple[int, int], int], list[tuple[list[_Strike], int]]] = defaultdict(list)
    moving = [channel.bend.moves or channel.vibrato.moves for channel in play.channels]
    pans = np.zeros(len(score))
    for i, channel in enumerate(play.channels):
        own = score.track == i
        pans[own] = channel.pan.at(score.onset[own])
    rows = zip(play.start.tolist(), play.hold.tolist(), score.pitch.tolist(), score.velocity.tolist(),
               score.track.tolist(), play.program.tolist(), score.onset.tolist(), pans.tolist(), strict=True)
    for start, hold, pitch, velocity, track, program, onset, pan in rows:
        channel = play.channels[track]
        preset = bank.preset(program, channel.is_drum)
        for index in sounding(preset, pitch, velocity):
            known: tuple[Any, ...] = (preset, index, pitch)
            touch = velocity
            controllers: Mapping[int, int] = {}
            if depends(preset, index):
                touch = min(velocity // VELOCITY_STEP * VELOCITY_STEP + VELOCITY_STEP // 2, 127)
                controllers = controllers_at(track, onset)
                known += (touch, *sorted(controllers.items()))
            if known not in voices:
                voices[known] = sf_voice.make_voice(bank, bank.zones(preset)[index], pitch, touch, controllers)
            voice = voices[known]
            if voice is None:
                continue
            tone, glides = voice.tone, False
            if moving[track]:
                n = hold + round(voice.release * play.rate)
                bend, wheel = channel.bend.during(start, n)[1], channel.vibrato.during(start, n)[1]
                glides = bool((wheel != wheel[0]).any() or (bend != bend[0]).any())
                tone = tone if glides else _held(voice, float(bend[0]), float(wheel[0]))
            gain = voice.gain * (velocity / 127) ** voice.velocity_power
            angle = (min(max(voice.pan + pan * voice.pan_by_controller, -1), 1) + 1) * math.pi / 4
            group = groups[tone, voice.shape]
            if voice.exclusive:
                exclusive[track, preset, voice.exclusive].append((group, len(group)))
            group.append(_Strike(track, start, hold, gain * math.cos(angle), gain * math.sin(angle), voice.release,
                                 voice.wheel_cents if glides else None))
    for places in exclusive.values():
        _choke(places, play.rate)
    return groups


def _held(voice: Voice, bend: float, wheel: float) -> Tone:
    """The voice's tone under a bend and a modulation wheel that stay where they are."""
    by_envelope, by_lfo, by_vibrato = voice.tone.pitch_by
    return voice.tone._replace(cents=voice.tone.cents + bend,
                               pitch_by=(by_envelope, by_lfo, by_vibrato + wheel * voice.wheel_cents))


def _choke(places: list[tuple[list[_Strike], int]], rate: int) -> None:
    """Let each note of an exclusive class fall silent within some 0.1 s of the next one's beginning."""
    starts = np.unique([group[i].start for group, i in places])
    for group, i in places:
        strike = group[i]
        following = int(np.searchsorted(starts, strike.start, side="right"))
        if following < len(starts):
            room = int(starts[following]) - strike.start
            hold = min(strike.hold, room)
            group[i] = strike._replace(hold=hold, release=min(strike.release, round((room - hold) / rate + 0.1, 1)))


# --- the mix -------------------------------------------------------------------------------------------------


def _mix(score: Score, bank: Bank, rate: int, limit: int) -> FloatArray:
    """All voices added up, float32[2, n], n no more than `limit`."""
    play = Performance.of(score, rate)
    groups = _strikes(play, bank)
    loudest = max((max(strike.left, strike.right) for group in groups.values() for strike in group), default=0)
    releases = functools.cache(lambda seconds: _release(seconds, rate))
    out = np.zeros((2, limit), np.float32)
    scratch = np.empty(limit, np.float32)
    for (tone, shape), group in groups.items():
        lengths = [min(strike.hold + len(releases(strike.release)), limit - strike.start) for strike in group]
        envelope = sf_voice.volume_curve(shape, max(lengths), rate)
        shared = [n for strike, n in zip(group, lengths, strict=True) if strike.wheel_cents is None]
        if shared:
            wave = sf_voice.render_wave(bank, tone, max(shared), rate)
            held = wave[:len(envelope)] * envelope[:len(wave)]
        for strike, n in zip(group, lengths, strict=True):
            if strike.wheel_cents is not None:
                bend = _bend(play.channels[strike.track], strike, tone.vibrato, n, rate)
                wave = sf_voice.render_wave(bank, tone, n, rate, bend)
                held = wave[:len(envelope)] * envelope[:len(wave)]
            if max(strike.left, strike.right) > 1e-4 * loudest:
                volume = _volume(play.channels[strike.track], strike.start, n, rate)
                _add(out, scratch, strike, wave, held, envelope, releases(strike.release), volume)
    return out


def _add(out: FloatArray, scratch: FloatArray, strike: _Strike, wave: FloatArray, held: FloatArray,
         envelope: FloatArray, release: FloatArray, volume: float | FloatArray) -> None:
    """Add one voice to `out`: `held` while its key is down, then `wave` falling from the level it had reached."""
    start, h = strike.start, min(strike.hold, len(held), out.shape[1] - strike.start)
    tail = min(len(release), len(wave) - h, out.shape[1] - start - h) if h < len(held) else 0
    part, last = scratch[:h + tail], None
    for side, gain in enumerate((strike.left, strike.right)):
        if gain < 1e-3 * max(strike.left, strike.right):
            continue
        if isinstance(volume, float):
            gain *= volume
        if gain != last:
            np.multiply(held[:h], np.float32(gain), out=part[:h])
            if tail:
                np.multiply(wave[h:h + tail], release[:tail], out=part[h:])
                part[h:] *= envelope[h] * np.float32(gain)
            if not isinstance(volume, float):
                part *= volume[:h + tail]
        out[side, start:start + h + tail] += part
        last = gain


def _release(seconds: float, rate: int) -> FloatArray:
    """Amplitude after the key is let go, from 1, falling by ENVELOPE_DB in `seconds` (float32)."""
    n = max(1, round(seconds * rate * sf_voice.SILENT_DB / sf_voice.ENVELOPE_DB))
    return sf_voice.exponential(n, -sf_voice.SILENT_DB / n)


def _volume(channel: Channel, start: int, n: int, rate: int) -> float | FloatArray:
    """The channel's amplitude over a voice: one number, or one a sample where volume or expression moves."""
    glide = rate // 200
    value = channel.volume.during(start - glide, n + glide)[1]
    return float(value[-1]) if (value == value[-1]).all() else channel.volume.curve(start, n, glide)


def _bend(channel: Channel, strike: _Strike, vibrato: Lfo, n: int, rate: int) -> npt.NDArray[np.float64]:
    """Cents to add to a voice at each of its samples: pitch bend, and vibrato by wheel and pressure."""
    cents = channel.bend.curve(strike.start, n, rate // 500).astype(np.float64)
    if channel.vibrato.during(strike.start, n)[1].any() and strike.wheel_cents:
        depth = channel.vibrato.curve(strike.start, n, rate // 100)
        cents += depth * strike.wheel_cents * vibrato.at(np.arange(n) / rate)
    return cents


# --- reverb --------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def _room(rate: int) -> tuple[npt.NDArray[np.complex64], int, int]:
    """The spectrum of a small hall for both ears (complex64[2, bins]), its length and the transform's, in samples.

    Noise that dies away by 60 dB in REVERB_SECONDS, the high frequencies faster and the low ones held back.
    """
    n = round(REVERB_SECONDS * rate)
    size = 1 << math.ceil(math.log2(4 * n))
    rng = np.random.Generator(np.random.PCG64(20))
    seconds = np.arange(n) / rate
    hertz = np.fft.rfftfreq(size, 1 / rate)
    spectrum = np.zeros((2, len(hertz)), np.complex128)
    rise = np.clip((seconds - 0.012) / 0.02, 0, 1)
    for centre, share in ((250.0, 1.0), (1000.0, 0.85), (4000.0, 0.5)):
        decay = 10 ** (-3 * seconds / (REVERB_SECONDS * share)) * rise
        noise = np.fft.rfft(rng.standard_normal((2, n)) * decay, size)
        octaves = np.log2(np.maximum(hertz, 1) / centre)
        spectrum += noise * np.exp(-(octaves**2)) * 10 ** (-0.15 * max(0, math.log2(centre / 250)))
    spectrum *= hertz / np.hypot(hertz, 180)
    impulse = np.fft.irfft(spectrum)[:, :n]
    impulse *= WET / np.sqrt((impulse**2).sum(axis=1, keepdims=True))
    return np.fft.rfft(impulse, size).astype(np.complex64), n, size


def _add_room(sound: FloatArray, rate: int) -> None:
    """Add a small hall to `sound` (float32[2, n]) in place, by convolution in blocks, the last one first."""
    spectrum, n, size = _room(rate)
    block = size - n
    for start in reversed(range(0, sound.shape[1], block)):
        part = sound[:, start:start + block].sum(axis=0)
        if part.any():
            into = sound[:, start:start + size]
            into += np.fft.irfft(np.fft.rfft(part, size) * spectrum, size)[:, :into.shape[1]]


def _remove_offset(sound: FloatArray, rate: int) -> None:
    """Take the slow mean of the last third of a second away from `sound` (float32[2, n]) in place.

    Many recordings in soundfonts are not centred on zero. Means are taken over blocks of 2.5 ms and joined by lines.
    """
    block = rate // 400
    count = sound.shape[1] // block
    weights = 1 + np.cos(np.linspace(0, np.pi, 133, endpoint=False))
    ramp = (np.arange(block, dtype=np.float32) / np.float32(block))[None, :]
    for side in sound:
        blocks = side[:count * block].reshape(count, block)
        slow = np.append(0, np.convolve(blocks.mean(axis=1), weights / weights.sum())[:count]).astype(np.float32)
        for lo in range(0, count, 4096):
            hi = min(count, lo + 4096)
            blocks[lo:hi] -= slow[lo:hi, None] + np.diff(slow[lo:hi + 1])[:, None] * ramp


# --- files ---------------------------------------------------------------------------------------------------


def write_audio(score: Score, path: str | os.PathLike[str], *,
                soundfont: str | os.PathLike[str] | Bank | None = None, rate: int = 44100, loop: bool = False,
                reverb: bool = True) -> Path:
    """Write the sound of `score` as a .wav, .flac, .ogg or .mp3 file and return its path.

    The other arguments are those of `render_audio`. The file is written beside and then renamed, so that a failure
    leaves nothing half-written; WriteError says why.
    """
    file = Path(path)
    kind = _format(file.suffix.lower().lstrip("."))
    check_target(file)
    sound = render_audio(score, soundfont=soundfont, rate=rate, loop=loop, reverb=reverb)
    write_bytes(file, encoded(sound, rate, kind))
    return file


def audio_bytes(score: Score, format: str = "ogg", *, soundfont: str | os.PathLike[str] | Bank | None = None,
                rate: int = 44100, loop: bool = False, reverb: bool = True) -> bytes:
    """Return the sound of `score` as the bytes of an `ogg`, `mp3`, `flac` or `wav` file, to put into a page.

    >>> score = Score(onset=[0], duration=[480], pitch=[69], velocity=[80], track=[0])
    >>> audio_bytes(score, "wav")[:4]
    b'RIFF'
    """
    sound = render_audio(score, soundfont=soundfont, rate=rate, loop=loop, reverb=reverb)
    return encoded(sound, rate, _format(format))


def _format(suffix: str) -> str:
    if suffix not in FORMATS:
        raise WriteError(nearest(suffix, FORMATS, "sound format"))
    return suffix


def encoded(sound: FloatArray, rate: int, kind: str) -> bytes:
    """`sound` as the bytes of a sound file; the same bytes for the same sound."""
    if not len(sound):
        raise WriteError("a sound file must hold some sound; this piece has no length at all")
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise WriteError(f"writing sound needs the soundfile package ({error}); try pip install soundfile") from None
    container, subtype = FORMATS[kind]
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(buffer, "w", rate, 2, subtype, format=container) as target:
            for start in range(0, len(sound), 1 << 15):  # the Vorbis encoder overflows its stack on long blocks
                target.write(sound[start:start + (1 << 15)])
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        raise WriteError(f"cannot write {kind} at {rate} samples a second: {error}") from None
    data = buffer.getvalue()
    return same_serial(data) if kind == "ogg" else data


_REVERSED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def same_serial(data: bytes) -> bytes:
    """An Ogg stream with its random serial number set to 1 and every page's checksum made right again.

    Pages as in RFC 3533. Its CRC-32 is zlib's with the bits of every byte reversed, from 0 and not inverted.
    """
    out = bytearray(data)
    page = 0
    while out[page:page + 4] == b"OggS":
        segments = out[page + 26]
        end = page + 27 + segments + sum(out[page + 27:page + 27 + segments])
        out[page + 14:page + 18] = (1).to_bytes(4, "little")
        out[page + 22:page + 26] = bytes(4)
        crc = zlib.crc32(bytes(out[page:end]).translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
        out[page + 22:page + 26] = crc.to_bytes(4, "little").translate(_REVERSED)[::-1]
        page = end
    return bytes(out)
