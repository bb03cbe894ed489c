"""How loud a sound is to the ear: integrated loudness in LUFS, by ITU-R BS.1770-4."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from partimento.errors import RequestError

FloatArray = npt.NDArray[np.float64]
ABSOLUTE_GATE = -70.0      # LUFS: quieter blocks are silence
RELATIVE_GATE = -10.0      # LU below the mean of the others: quieter blocks are pauses
OFFSET = -0.691            # dB, so that a sine of 997 Hz at full scale in one channel has −3.01 LUFS
_BLOCK = 1 << 18           # samples filtered at a time


def k_filters(rate: float) -> tuple[FloatArray, FloatArray]:
    """Return the two filters of K-weighting at `rate` samples a second, each as float64[6]: b0, b1, b2, 1, a1, a2.

    The first lifts what is above 1.5 kHz by 4 dB as a head does, the second cuts the bass. The standard has a table
    for 48,000 samples a second; these are the analogue filters behind it (B. De Man, "Evaluation of implementations of
    the EBU R128 loudness measurement", AES 145, 2018), so that every rate is heard alike.

    >>> k_filters(48000)[1][4:].round(8).tolist()
    [-1.99004745, 0.99007225]
    """
    k, q, high = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high ** 0.4996667741545416
    scale = 1 + k / q + k * k
    shelf = np.array([high + middle * k / q + k * k, 2 * (k * k - high), high - middle * k / q + k * k,
                      scale, 2 * (k * k - 1), 1 - k / q + k * k]) / scale
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    scale = 1 + k / q + k * k
    return shelf, np.array([1, -2, 1, 1, 2 * (k * k - 1) / scale, (1 - k / q + k * k) / scale])


def k_weighted(sound: npt.ArrayLike, rate: int) -> FloatArray:
    """Return a sound (float[n] or [n, channels] in −1…1) through both filters of K-weighting, float64[n, channels].

    Filtered by fast convolution in blocks; the filters have died away to nothing within the second that is kept of
    each.

    >>> k_weighted(np.ones(48000), 48000).shape
    (48000, 1)
    """
    wave = np.asarray(sound, np.float64)
    wave = wave[:, None] if wave.ndim == 1 else wave
    if wave.ndim != 2 or wave.shape[1] not in (1, 2):
        raise RequestError(f"a sound must be of one or two channels, float[n] or [n, 2]; got {list(wave.shape)}")
    if not 8000 <= rate <= 192000:
        raise RequestError(f"the sample rate must lie in 8000..192000; got {rate}")
    size = 1 << math.ceil(math.log2(min(_BLOCK, max(len(wave), 1)) + rate))
    turn = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    response = np.ones(size // 2 + 1, np.complex128)
    for b0, b1, b2, a0, a1, a2 in k_filters(rate):
        response *= (b0 + turn * (b1 + turn * b2)) / (a0 + turn * (a1 + turn * a2))
    out = np.zeros((len(wave) + size, wave.shape[1]))
    for start in range(0, len(wave), _BLOCK):
        part = np.fft.rfft(wave[start:start + _BLOCK], size, axis=0)
        out[start:start + size] += np.fft.irfft(part * response[:, None], size, axis=0)
    return out[:len(wave)]


def integrated_loudness(sound: npt.ArrayLike, rate: int) -> float:
    """Return the loudness of a whole sound (float[n] or [n, channels] in −1…1) in LUFS; −∞ for silence.

    The mean power of blocks of 400 ms, a new one every 100 ms, without those under −70 LUFS and those more than 10 LU
    under the mean of the rest (ITU-R BS.1770-4, annex 1). A sound of less than 400 ms is silence.

    >>> second = np.arange(48000) / 48000
    >>> round(integrated_loudness(np.sin(2 * np.pi * 997 * second), 48000), 2)
    -3.01
    """
    weighted = k_weighted(sound, rate)
    hop = round(rate / 10)
    count = len(weighted) // hop
    if count < 4:
        return -math.inf
    tenths = (weighted[:count * hop] ** 2).reshape(count, hop, -1).mean(axis=1).sum(axis=1)
    power = np.convolve(tenths, np.full(4, 0.25), "valid")
    power = power[power > _power(ABSOLUTE_GATE)]
    if not len(power):
        return -math.inf
    power = power[power > _power(_level(float(power.mean())) + RELATIVE_GATE)]
    return _level(float(power.mean()))


def _level(power: float) -> float:
    return OFFSET + 10 * math.log10(power)


def _power(level: float) -> float:
    return float(10 ** ((level - OFFSET) / 10))
