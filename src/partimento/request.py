"""What was asked and what came back: Blanks, Request and Result, plain data that goes to JSON and back."""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import platform
import re
import struct
import types
import typing
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from partimento import packing, theory
from partimento.errors import RequestError, nearest
from partimento.forms import check_chords, form_spans
from partimento.score import BoolArray, Score

VERBS = ("compose", "continue", "infill", "harmonize", "accompany", "vary", "humanize")
OPEN = ("all", "pitch")
ORIGINALITY = ("strict", "normal", "off")
MAX_BARS_ASKED = 10_000
MAX_COUNT = 1_000
MAX_UNPACKED = 1 << 30      # bytes of a packed Score: a damaged one may claim any size


class Region(NamedTuple):
    """A blank: ticks [start, end) of one track, and what of the notes there is open.

    That is `all`, `pitch`, or `expression`: how notes are played, as `humanize` opens it.
    """

    track: int
    start: int
    end: int
    open: str = "all"


@dataclasses.dataclass(frozen=True)
class Blanks:
    """Which parts of a Score are to be written: regions, and the notes inside them that stay (`pinned`, indices).

    A note belongs where its onset is. In a region open for `all`, a note that is not pinned is to be replaced; in
    one open for `pitch` it keeps its onset, duration and velocity and gets another pitch.

    >>> score = Score(onset=[0, 480], duration=[480, 480], pitch=[60, 64], velocity=[80, 80], track=[0, 0])
    >>> Blanks((Region(track=0, start=480, end=960),)).rewritten(score).tolist()
    [False, True]
    """

    regions: tuple[Region, ...] = ()
    pinned: tuple[int, ...] = ()

    @classmethod
    def everything(cls, score: Score) -> Blanks:
        """All tracks of `score` from 0 to its end, nothing pinned."""
        return cls(tuple(Region(i, 0, score.end) for i in range(len(score.tracks))))

    def inside(self, score: Score, open: str | None = None) -> BoolArray:
        """bool[n]: the notes of `score` whose onset lies in a region (of that kind of opening, where given)."""
        mask = np.zeros(len(score), bool)
        for region in self.regions:
            if open is None or region.open == open:
                mask |= (score.track == region.track) & (score.onset >= region.start) & (score.onset < region.end)
        return mask

    def rewritten(self, score: Score) -> BoolArray:
        """bool[n]: the notes of `score` that lie in a region and are not pinned."""
        mask = self.inside(score)
        mask[np.asarray(self.pinned, np.intp)] = False
        return mask

    def kept_tracks(self, score: Score) -> set[int]:
        """The tracks of `score` in which a note stays."""
        return set(np.unique(score.track[~self.rewritten(score)]).tolist())

    def tracks(self) -> list[int]:
        """The tracks that hold a region, in order."""
        return sorted({region.track for region in self.regions})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """One wish for one piece: everything about it is here, so that it can be replayed. None means left open.

    `bars` is how many bars to make (compose, continue); `place` is where to write (infill: `5-8`, or `5.3-8` from
    beat 3 of bar 5; humanize: what to perform). `tracks` names the parts to write, `tempo` is in quarter notes a
    minute, `chords` as in `theory.parse_chords`. `form` (compose; ``A8 A8 B8 A'8``) says which sections return, and so
    how many bars there are; `style` (compose) names one that the family knows. `ranges` gives the lowest and highest
    pitch a track may take (`{"violin": "G3-E6"}`), `targets` the wanted value of a control, by name or `track.name`.
    `open` (infill, vary) is `all` or `pitch`; `strength` is the share of notes let go (vary), or how much is performed
    (humanize), 0–1;
    `swing` (humanize) how long the first half of a beat is beside the second, `rules` the quantities of rules of
    performance; `species` (harmonize) makes the new track a counterpoint of that species, 1–4, to the line given;
    `loop` makes a piece that repeats without a seam; `stream` takes the first attempt bar by bar as it is made,
    unranked.
    `temperature` (0.01–100) and `top_p` (0.001–1) shape the draw (left open: what suits the family). `index` says
    which of several candidates of one `seed` this is, `tries` how many attempts the best is taken of; `originality`
    (``strict``, ``normal``, ``off``) what of the music that taught the model is borrowed too much; `registry` (sha256)
    names the one that it must not match besides the model's own. `model` and `model_hash` (sha256 of its checkpoint)
    name what composed; `input` is the piece worked on (`pack_score`).
    RequestError where a field cannot be.

    >>> Request.from_json(Request(bars=8, key="E minor").to_json()).key
    'E minor'
    """

    verb: str = "compose"
    bars: int | None = None
    place: str | None = None
    tracks: tuple[str, ...] = ()
    meter: str | None = None
    tempo: float | None = None
    key: str | None = None
    chords: str | None = None
    form: str | None = None
    style: str | None = None
    ranges: Mapping[str, str] = dataclasses.field(default_factory=dict)
    targets: Mapping[str, float] = dataclasses.field(default_factory=dict)
    open: str = "all"
    strength: float | None = None
    swing: float | None = None
    species: int | None = None
    rules: Mapping[str, float] = dataclasses.field(default_factory=dict)
    loop: bool = False
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    seed: int = 0
    index: int = 0
    tries: int | None = None
    originality: str = "normal"
    registry: str | None = None
    model: str | None = None
    model_hash: str | None = None
    input: str | None = None

    def __post_init__(self) -> None:
        hints = _hints()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "tracks" and isinstance(value, Sequence) and not isinstance(value, str):
                value = tuple(value)
            elif field.name in ("ranges", "targets", "rules") and isinstance(value, Mapping):
                value = dict(value)
            elif not _fits(value, hints[field.name]):
                raise RequestError(f"{field.name} must be {_words(hints[field.name])}; got {value!r}")
            elif isinstance(value, np.integer):
                value = int(value)
            if hints[field.name] in (float, float | None) and value is not None:
                value = float(value)    # one spelling of a number, so that one wish has one stamp
            object.__setattr__(self, field.name, value)
        self._check_contents()
        for name in ("targets", "rules"):
            object.__setattr__(self, name, {key: float(value) for key, value in getattr(self, name).items()})
        if self.form is not None:
            object.__setattr__(self, "bars", sum(span.bars for span in form_spans(self.form, self.bars)))
        self._check_numbers()
        if self.verb not in VERBS:
            raise RequestError(nearest(self.verb, VERBS, "verb"))
        if self.open not in OPEN:
            raise RequestError(nearest(self.open, OPEN, "kind of opening"))
        if self.originality not in ORIGINALITY:
            raise RequestError(nearest(self.originality, ORIGINALITY, "strength of originality"))
        if self.meter is not None:
            theory.parse_meter(self.meter)
        if self.key is not None:
            theory.parse_key(self.key)
        if self.chords is not None:
            theory.parse_chords(self.chords, 1)
            if self.form is not None and self.bars is not None:
                check_chords(self.form, self.bars, self.chords)
        for name, span in self.ranges.items():
            parse_range(span, name)

    def _check_contents(self) -> None:
        for name, kind, entries in (("tracks", str, self.tracks), ("ranges", str, self.ranges.values()),
                                    ("targets", float, self.targets.values()), ("rules", float, self.rules.values()),
                                    ("ranges", str, self.ranges), ("targets", str, self.targets),
                                    ("rules", str, self.rules)):
            for entry in entries:
                if not _fits(entry, kind):
                    raise RequestError(f"{name} must hold {_words(kind)}; got {entry!r}")

    def _check_numbers(self) -> None:
        for name, low, high, why in (
            ("bars", 1, MAX_BARS_ASKED, "how many bars to make"), ("tempo", 4, 960, "quarter notes a minute"),
            ("strength", 0, 1, "0 gives the input back"), ("swing", 1, 4, "1 is even, 2 as long as 2 to 1"),
            ("species", 1, 4, "of counterpoint"),
            ("temperature", 0.01, 100, "1 is the model as it learnt"), ("top_p", 0.001, 1, "1 keeps every choice"),
            ("seed", 0, 2**63 - 1, "a whole number"), ("index", 0, MAX_COUNT - 1, "which candidate"),
            ("tries", 1, 10_000, "candidates a piece"),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise RequestError(f"{name} must lie in {low}..{high} ({why}); "
                                   f"got {value if isinstance(value, int) else format(value, 'g')}")

    def replace(self, **changes: Any) -> Request:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def to_json(self) -> str:
        """Compact JSON of every field that is not at its default, keys sorted."""
        plain = dataclasses.asdict(self)
        default = dataclasses.asdict(Request())
        said = {k: v for k, v in plain.items() if v != default[k] or k == "verb"}
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """The Request that `to_json` wrote; an unknown key is refused with the nearest known one."""
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RequestError(f"a request must be JSON; {error}") from None
        if not isinstance(plain, dict):
            raise RequestError(f"a request must be a JSON object; got {type(plain).__name__}")
        names = {f.name for f in dataclasses.fields(cls)}
        for key in plain:
            if key not in names:
                raise RequestError(nearest(key, names, "field of a request"))
        return cls(**plain)


@functools.cache
def _hints() -> dict[str, Any]:
    """What each field of a Request must be."""
    return typing.get_type_hints(Request)


def _fits(value: object, hint: Any) -> bool:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if isinstance(value, bool):
        return bool in options
    if isinstance(value, (int, np.integer)):
        return int in options or (float in options and abs(int(value)) < 1 << 1000)
    return any(isinstance(value, option) for option in options if isinstance(option, type))


def _words(hint: Any) -> str:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    return " or ".join(names.get(o, "a list of names" if typing.get_origin(o) is tuple else "a table") for o in options)


def parse_range(text: str, name: str = "range") -> tuple[int, int]:
    """Lowest and highest pitch (MIDI, 0–127) of ``G3-E6``; `name` is whose range, for the RequestError.

    >>> parse_range("G3-E6")
    (55, 88)
    """
    match = re.fullmatch(r"\s*([A-Ga-g][#b♯♭]*-?\d+)\s*-\s*([A-Ga-g][#b♯♭]*-?\d+)\s*", text)
    if match is None:
        raise RequestError(f"the range of {name} must be two pitches such as G3-E6; got {text!r}")
    pitches = theory.parse_pitch(match[1]), theory.parse_pitch(match[2])
    if pitches[0] > pitches[1]:
        raise RequestError(f"the range of {name} must begin with its lower pitch; got {text!r}")
    return pitches


class Row(NamedTuple):
    """One line of a receipt: what was asked, what was got, and whether that meets it (None: not a yes or no)."""

    name: str
    asked: str
    got: str
    met: bool | None


@dataclasses.dataclass(frozen=True)
class Result:
    """A piece and its receipt: the Score, the resolved Request, asked and got, and how it came about.

    `rows` are the receipt; `new` (bool[n]) marks the notes that were written now, `regions` where they were to be;
    `notes` are sentences worth telling; `retries` counts attempts after the first that were needed, `moved` the notes
    moved to hold the key or the chords; `platform` names what the same bytes can be expected on. `originality` says
    how the new notes lie beside the music that taught the model, `maker` what is known of the model (its checkpoint,
    what taught it, licences), both JSON-ready, and empty where nothing is known.
    """

    score: Score
    request: Request
    rows: tuple[Row, ...]
    new: BoolArray
    regions: tuple[Region, ...]
    notes: tuple[str, ...] = ()
    retries: int = 0
    moved: int = 0
    platform: str = ""
    originality: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    maker: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def _repr_html_(self) -> str | None:
        return self.score._repr_html_()


def platform_string(version: str) -> str:
    """What a replay to the same bytes rests on: versions of this package, Python and numpy, and the machine's kind."""
    return f"partimento {version}, Python {platform.python_version()}, numpy {np.__version__}, " \
           f"{platform.system()} {platform.machine()}"


def pack_score(score: Score) -> str:
    """The whole Score as short text (zlib and base 85), for a Request that replays alone.

    >>> unpack_score(pack_score(Score(end=480))) == Score(end=480)
    True
    """
    return base64.b85encode(zlib.compress(packing.pack(score), 9)).decode("ascii")


def unpack_score(text: str) -> Score:
    """The Score that `pack_score` wrote; RequestError when the text is damaged."""
    try:
        return packing.unpack(zlib.decompressobj().decompress(base64.b85decode(text), MAX_UNPACKED))
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError, struct.error,
            zlib.error) as error:
        raise RequestError(f"the input inside this request must be what was written; it is damaged ({error})") from None
