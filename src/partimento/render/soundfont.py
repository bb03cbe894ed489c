"""SoundFont files (SF2, and SF3 with Vorbis samples): finding one, and reading it with numpy alone.

The layout and every default are those of the *SoundFont Technical Specification 2.04* (E-mu, 2006).
"""

from __future__ import annotations

import functools
import importlib.util
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from partimento.errors import ReadError

FloatArray = npt.NDArray[np.float32]
ModulatorKey = tuple[int, int, int]  # source, destination generator, amount source: as the file encodes them

ENVIRONMENT = "PARTIMENTO_SOUNDFONT"
DRUM_BANK = 128
N_GENERATORS = 61
MAX_ZONES = 20_000  # in one preset; more is a broken file

# Generators by the names of the specification (8.1.2), as far as the player uses them.
START, END, LOOP_START, LOOP_END, START_COARSE = 0, 1, 2, 3, 4
MOD_LFO_TO_PITCH, VIB_LFO_TO_PITCH, MOD_ENV_TO_PITCH = 5, 6, 7
FILTER_FC, FILTER_Q, MOD_LFO_TO_FC, MOD_ENV_TO_FC, END_COARSE, MOD_LFO_TO_VOLUME = 8, 9, 10, 11, 12, 13
PAN = 17
DELAY_MOD_LFO, FREQ_MOD_LFO, DELAY_VIB_LFO, FREQ_VIB_LFO = 21, 22, 23, 24
DELAY_MOD_ENV, ATTACK_MOD_ENV, HOLD_MOD_ENV, DECAY_MOD_ENV, SUSTAIN_MOD_ENV = 25, 26, 27, 28, 29
KEY_TO_MOD_HOLD, KEY_TO_MOD_DECAY = 31, 32
DELAY_VOL_ENV, ATTACK_VOL_ENV, HOLD_VOL_ENV, DECAY_VOL_ENV, SUSTAIN_VOL_ENV, RELEASE_VOL_ENV = 33, 34, 35, 36, 37, 38
KEY_TO_VOL_HOLD, KEY_TO_VOL_DECAY = 39, 40
INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, LOOP_START_COARSE = 41, 43, 44, 45
FIXED_KEY, FIXED_VELOCITY, ATTENUATION, LOOP_END_COARSE, COARSE_TUNE, FINE_TUNE = 46, 47, 48, 50, 51, 52
SAMPLE_ID, SAMPLE_MODES, SCALE_TUNING, EXCLUSIVE_CLASS, ROOT_KEY = 53, 54, 56, 57, 58

FULL_RANGE = 127 << 8  # low byte 0, high byte 127

DEFAULTS = np.zeros(N_GENERATORS, np.int32)
DEFAULTS[[21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38]] = -12000
DEFAULTS[FILTER_FC] = 13500
DEFAULTS[SCALE_TUNING] = 100
DEFAULTS[[FIXED_KEY, FIXED_VELOCITY, ROOT_KEY]] = -1
DEFAULTS[[KEY_RANGE, VELOCITY_RANGE]] = FULL_RANGE

# What a preset cannot add to: sample addresses, modes and the values that stand for a choice (8.5).
_NOT_ADDED = [0, 1, 2, 3, 4, 12, 41, 43, 44, 45, 46, 47, 50, 53, 54, 57, 58]

# Known General MIDI soundfonts, the best first: how the file name begins, a name for people, the licence.
KNOWN = (
    ("musescore_general", "MuseScore_General", "MIT"),
    ("ms basic", "MS Basic", "MIT"),
    ("fluidr3_gm", "FluidR3_GM", "MIT"),
    ("fluidr3", "FluidR3", "MIT"),
    ("generaluser", "GeneralUser GS", "GeneralUser GS licence (free to use)"),
    ("timgm6mb", "TimGM6mb", "GPL-2.0"),
)


class SoundFontInfo(NamedTuple):
    """Where a soundfont lies, its name, and the licence that it or its makers state."""

    path: Path
    name: str
    licence: str


class Sample(NamedTuple):
    """One recording: where it lies in the sample data (in frames; bytes when Vorbis), and how it is tuned."""

    name: str
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction: int  # cents
    vorbis: bool = False


class Zone(NamedTuple):
    """One sample over a range of keys and velocities, with its generators (int32[61]) and modulators."""

    low_key: int
    high_key: int
    low_velocity: int
    high_velocity: int
    generators: npt.NDArray[np.int32]
    modulators: Mapping[ModulatorKey, int]


def zone(sample: int, modulators: Mapping[ModulatorKey, int] | None = None, *, keys: tuple[int, int] = (0, 127),
         velocities: tuple[int, int] = (0, 127), **generators: int) -> Zone:
    """Build a Zone from generators given by name, as ``zone(3, root_key=60, pan=-200)``; the rest are defaults."""
    values = DEFAULTS.copy()
    values[SAMPLE_ID] = sample
    for name, value in generators.items():
        values[globals()[name.upper()]] = value
    return Zone(*keys, *velocities, values, modulators or {})


class Bank:
    """Instruments ready to be played: samples, and the zones of each (bank, program).

    `wave(i)` gives sample `i` as float32 in −1…1. A SoundFont file and the synthesised patches are both Banks.
    """

    def __init__(self, info: SoundFontInfo, samples: Sequence[Sample], presets: Iterable[tuple[int, int]],
                 zones: Callable[[tuple[int, int]], Sequence[Zone]], wave: Callable[[int], FloatArray]) -> None:
        self.info = info
        self.samples = samples
        self.presets = frozenset(presets)
        self.zones = functools.cache(zones)
        self.wave = functools.cache(wave)
        self._ranges = functools.cache(self._zone_ranges)

    def preset(self, program: int, is_drum: bool) -> tuple[int, int]:
        """The (bank, program) that plays `program`, or the nearest here; without any kit, drums stay silent."""
        bank = DRUM_BANK if is_drum else 0
        nearby = [(bank, program), (bank, program // 8 * 8), (bank, 0)]
        return next((p for p in nearby if p in self.presets), (DRUM_BANK, 0) if is_drum else min(self.presets))

    def _zone_ranges(self, preset: tuple[int, int]) -> npt.NDArray[np.int32]:
        return np.array([z[:4] for z in self.zones(preset)], np.int32).reshape(-1, 4).T

    def sounding(self, preset: tuple[int, int], key: int, velocity: int) -> list[int]:
        """The indices of the preset's zones that sound for this key and velocity."""
        if preset not in self.presets:
            return []
        low, high, soft, loud = self._ranges(preset)
        hit = (low <= key) & (key <= high) & (soft <= velocity) & (velocity <= loud)
        return [int(i) for i in np.flatnonzero(hit)]


# --- reading -------------------------------------------------------------------------------------------------

_PHDR = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")])
_BAG = np.dtype([("gen", "<u2"), ("mod", "<u2")])
_MOD = np.dtype([("src", "<u2"), ("dest", "<u2"), ("amount", "<i2"), ("amount_src", "<u2"), ("transform", "<u2")])
_GEN = np.dtype([("oper", "<u2"), ("amount", "<i2")])
_INST = np.dtype([("name", "S20"), ("bag", "<u2")])
_SHDR = np.dtype([("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
                  ("rate", "<u4"), ("root", "u1"), ("correction", "i1"), ("link", "<u2"), ("type", "<u2")])
_TABLES = {"phdr": _PHDR, "pbag": _BAG, "pmod": _MOD, "pgen": _GEN, "inst": _INST, "ibag": _BAG, "imod": _MOD,
           "igen": _GEN, "shdr": _SHDR}


def load_soundfont(path: str | os.PathLike[str]) -> Bank:
    """Return the Bank in an SF2 or SF3 file; ReadError when the file is missing, broken or something else.

    The file is mapped, not copied, and only the samples that sound are ever converted.
    """
    file = Path(path)
    try:
        stat = file.stat()
    except OSError as error:
        raise ReadError(f"cannot open the soundfont {file}: {error.strerror or error}") from None
    return _load(file, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _load(path: Path, size: int, changed: int) -> Bank:
    chunks = _chunks(path)
    try:
        return _bank(path, chunks)
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise ReadError(f"the soundfont {path} is broken ({error}): get it again or name another one") from None


def _chunks(path: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """The chunks of a soundfont by name; ReadError when it is no soundfont or is cut short."""
    try:
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot read the soundfont {path}: {error}") from None
    if len(data) < 12 or bytes(data[:4]) != b"RIFF" or bytes(data[8:12]) != b"sfbk":
        raise ReadError(f"a soundfont must be an SF2 or SF3 file; {path} is something else")
    found: dict[str, npt.NDArray[np.uint8]] = {}

    def walk(position: int, end: int, depth: int) -> None:
        while position + 8 <= end:
            name = bytes(data[position:position + 4])
            length = int.from_bytes(bytes(data[position + 4:position + 8]), "little")
            body = position + 8
            if body + length > end:
                raise ReadError(f"the soundfont {path} is cut short in its {name.decode('latin-1')!r} part: "
                                "get it again or name another one")
            if name == b"LIST" and depth == 0:
                walk(body + 4, body + length, 1)
            else:
                found.setdefault(name.decode("latin-1"), data[body:body + length])
            position = body + length
            if length & 1 and data[position:position + 1].any() == 0:  # some writers of SF3 leave the padding out
                position += 1

    walk(12, len(data), 0)
    return found


def _text(chunk: npt.NDArray[np.uint8] | None) -> str:
    if chunk is None:
        return ""
    text = bytes(chunk[:4096]).split(b"\0")[0]
    return " ".join(text.decode("utf-8", "replace").split())


def _info(path: Path, chunks: Mapping[str, npt.NDArray[np.uint8]]) -> SoundFontInfo:
    known = next((row for row in KNOWN if path.name.lower().startswith(row[0])), None)
    name = known[1] if known else _text(chunks.get("INAM")) or path.stem
    said = _text(chunks.get("ICOP"))
    comment = _text(chunks.get("ICMT"))
    if "licen" in comment.lower() and len(comment) <= 200:
        said = f"{said}; {comment}" if said else comment
    parts = [part for part in (known[2] if known else "", said) if part]
    return SoundFontInfo(path, name, " · ".join(parts) or "not stated in the file")


def _bank(path: Path, chunks: Mapping[str, npt.NDArray[np.uint8]]) -> Bank:
    tables: dict[str, npt.NDArray[Any]] = {}
    for name, kind in _TABLES.items():
        if name not in chunks:
            raise ValueError(f"it has no {name!r} part")
        if len(chunks[name]) % kind.itemsize:
            raise ValueError(f"the size of its {name!r} part is not a multiple of {kind.itemsize}")
        tables[name] = np.frombuffer(chunks[name].tobytes(), kind)
    raw = chunks.get("smpl")
    if raw is None:
        raise ValueError("it has no samples")
    pcm = raw[:len(raw) // 2 * 2].view("<i2")
    samples = [Sample(_text(np.frombuffer(row["name"], np.uint8)), int(row["start"]), int(row["end"]),
                      int(row["loop_start"]), int(row["loop_end"]), int(row["rate"]), int(row["root"]),
                      int(row["correction"]), bool(row["type"] & 0x10)) for row in tables["shdr"][:-1]]
    headers = {(int(row["bank"]), int(row["program"])): i for i, row in reversed(list(enumerate(tables["phdr"][:-1])))}
    if not headers:
        raise ValueError("it has no presets")

    def zones(preset: tuple[int, int]) -> list[Zone]:
        try:
            return list(_preset_zones(tables, headers[preset], len(samples)))
        except (ValueError, IndexError) as error:
            raise ReadError(f"the soundfont {path} is broken in preset {preset} ({error}): "
                            "get it again or name another one") from None

    def wave(index: int) -> FloatArray:
        sample = samples[index]
        if sample.vorbis:
            return _decode(path, raw[sample.start:sample.end].tobytes())
        return pcm[sample.start:sample.end].astype(np.float32) / np.float32(32768)

    return Bank(_info(path, chunks), samples, headers, zones, wave)


def _decode(path: Path, data: bytes) -> FloatArray:
    import soundfile

    try:
        wave, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise ReadError(f"a compressed sample of the soundfont {path} cannot be decoded: {error}") from None
    return np.ascontiguousarray(wave[:, 0])


_Raw = tuple[dict[int, int], dict[ModulatorKey, int]]


def _layers(tables: Mapping[str, npt.NDArray[Any]], letter: str, first: int, last: int, target: int) -> list[_Raw]:
    """Generators and modulators of each zone in bags `first` to `last`, its global zone laid under it."""
    bags, gens, mods = tables[letter + "bag"], tables[letter + "gen"], tables[letter + "mod"]
    if not first <= last < len(bags):
        raise ValueError("a list of zones runs past its end")
    out: list[_Raw] = []
    base: _Raw = ({}, {})
    for bag in range(first, last):
        part = gens[int(bags["gen"][bag]):int(bags["gen"][bag + 1])]
        own = {int(g["oper"]): int(g["amount"]) for g in part if g["oper"] < N_GENERATORS}
        links = {(int(m["src"]), int(m["dest"]), int(m["amount_src"])): int(m["amount"])
                 for m in mods[int(bags["mod"][bag]):int(bags["mod"][bag + 1])]}
        if target in own:
            out.append(({**base[0], **own}, {**base[1], **links}))
        elif bag == first:
            base = own, links
    return out


def _range(gens: Mapping[int, int], which: int) -> tuple[int, int]:
    value = gens.get(which, FULL_RANGE) & 0xFFFF
    return value & 0xFF, value >> 8


def _preset_zones(tables: Mapping[str, npt.NDArray[Any]], index: int, n_samples: int) -> Iterator[Zone]:
    """The zones that sound in a preset: instrument zones, the preset's own generators added to them (9.4)."""
    bags = tables["phdr"]["bag"]
    count = 0
    for outer, outer_mods in _layers(tables, "p", int(bags[index]), int(bags[index + 1]), INSTRUMENT):
        number = outer[INSTRUMENT] & 0xFFFF
        if number + 1 >= len(tables["inst"]):
            raise ValueError(f"it names instrument {number}, which is not there")
        inner_bags = tables["inst"]["bag"]
        added = np.zeros(N_GENERATORS, np.int32)
        added[list(outer)] = list(outer.values())
        added[_NOT_ADDED] = 0
        for inner, inner_mods in _layers(tables, "i", int(inner_bags[number]), int(inner_bags[number + 1]), SAMPLE_ID):
            if not 0 <= inner[SAMPLE_ID] < n_samples:
                raise ValueError(f"it names sample {inner[SAMPLE_ID]}, which is not there")
            count += 1
            if count > MAX_ZONES:
                raise ValueError(f"it has more than {MAX_ZONES} zones")
            values = DEFAULTS.copy()
            values[list(inner)] = list(inner.values())
            values += added
            mods = dict(inner_mods)
            for key, amount in outer_mods.items():
                mods[key] = mods.get(key, DEFAULT_AMOUNTS.get(key, 0)) + amount
            keys = [_range(g, KEY_RANGE) for g in (outer, inner)]
            velocities = [_range(g, VELOCITY_RANGE) for g in (outer, inner)]
            yield Zone(max(k[0] for k in keys), min(k[1] for k in keys), max(v[0] for v in velocities),
                       min(v[1] for v in velocities), values, mods)


# The default modulators that the player applies (8.4), by (source, destination, amount source).
VELOCITY_TO_ATTENUATION: ModulatorKey = (0x0502, ATTENUATION, 0)
PAN_TO_PAN: ModulatorKey = (0x028A, PAN, 0)
MOD_WHEEL_TO_VIBRATO: ModulatorKey = (0x0081, VIB_LFO_TO_PITCH, 0)
PRESSURE_TO_VIBRATO: ModulatorKey = (0x000D, VIB_LFO_TO_PITCH, 0)
DEFAULT_AMOUNTS: Mapping[ModulatorKey, int] = {
    VELOCITY_TO_ATTENUATION: 960, PAN_TO_PAN: 500, MOD_WHEEL_TO_VIBRATO: 50, PRESSURE_TO_VIBRATO: 50}


# --- finding -------------------------------------------------------------------------------------------------


def find_soundfont(path: str | os.PathLike[str] | None = None) -> SoundFontInfo | None:
    """Return the soundfont to play with, or None where there is none and the built-in patches must do.

    In this order: `path`; the environment variable PARTIMENTO_SOUNDFONT; a good one installed where Linux, macOS,
    Windows and MuseScore keep them; the one inside the pretty_midi package. ReadError when the one that was
    asked for is missing or is no soundfont; anything found by search that cannot be read is passed over.

    >>> info = find_soundfont()
    >>> info is None or info.path.is_file()
    True
    """
    asked = path or os.environ.get(ENVIRONMENT)
    if asked:
        return soundfont_info(asked)
    for candidate in _installed():
        try:
            return soundfont_info(candidate)
        except ReadError:
            continue
    return None


def soundfont_info(path: str | os.PathLike[str]) -> SoundFontInfo:
    """Return name and licence of a soundfont file; ReadError when it is missing, cut short or something else."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise ReadError(f"the soundfont must be an SF2 or SF3 file; there is no file {file}")
    return _info(file, _chunks(file))


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        programs = [Path(os.environ[v]) for v in ("ProgramFiles", "ProgramFiles(x86)", "ProgramData", "LOCALAPPDATA")
                    if v in os.environ]
        folders = [p / "soundfonts" for p in programs]
        folders += [p / f"MuseScore {n}" / "sound" for p in programs for n in (4, 3)]
        return [*folders, home / "soundfonts", Path("C:/soundfonts")]
    if sys.platform == "darwin":
        apps = [Path(f"/Applications/MuseScore {n}.app/Contents/Resources/sound") for n in (4, 3)]
        return [home / "Library/Audio/Sounds/Banks", Path("/Library/Audio/Sounds/Banks"), *apps,
                Path("/opt/homebrew/share/soundfonts"), Path("/usr/local/share/soundfonts"),
                Path("/opt/local/share/sounds/sf2")]
    share = [home / ".local/share", Path("/usr/local/share"), Path("/usr/share")]
    inner = ("soundfonts", "sounds/sf2", "sounds/sf3", "mscore/sounds", "mscore3/sounds", "musescore/sound")
    found = [base / name for base in share for name in inner]
    return [*found, *(p / "sound" for base in share if base.is_dir() for p in sorted(base.glob("mscore-*")))]


def _installed() -> Iterator[Path]:
    """Every well-known soundfont on this machine, the best first; the pretty_midi package's own comes last."""
    files = [f for folder in _folders() if folder.is_dir() for f in sorted(folder.iterdir())
             if f.suffix.lower() in (".sf2", ".sf3") and f.is_file()]
    for prefix, _, _ in KNOWN[:-1]:
        yield from (f for f in files if f.name.lower().startswith(prefix))
    spec = importlib.util.find_spec("pretty_midi")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(folder).glob("*.sf2"))
