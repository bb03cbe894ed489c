"""What a written page consists of: parts, bars, voices, and in them chords and rests as an engraver must know them."""

from __future__ import annotations

import dataclasses

from partimento.score import Meter, Text, Track

NOTE_TYPES = ("long", "breve", "whole", "half", "quarter", "eighth", "16th", "32nd", "64th", "128th", "256th")


@dataclasses.dataclass(frozen=True, slots=True)
class Tuplet:
    """`actual` notes in the time of `normal`; `start` and `stop` say whether its bracket begins or ends at an event.

    `number` counts from 1 with the outermost tuplet; `bracket` is False where a beam shows it.
    """

    actual: int
    normal: int
    start: bool = False
    stop: bool = False
    number: int = 1
    bracket: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class NoteHead:
    """One note of a chord, as it is written: step, alteration and octave (C4 is middle C) after transposition.

    `pitch` is what sounds (of a drum: its key), `note` the index of the note in the Score. `accidental` is empty where
    none is shown, else ``sharp``, ``flat``, ``natural``, ``double-sharp`` or ``flat-flat``; `cautionary` ones are not
    needed by rule. `notehead` is ``normal`` or ``x``. Of an unpitched one step and octave say only where it stands.
    """

    pitch: int
    step: str
    alter: int
    octave: int
    staff: int
    note: int
    accidental: str = ""
    cautionary: bool = False
    tie_start: bool = False
    tie_stop: bool = False
    notehead: str = "normal"
    unpitched: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Syllable:
    """One syllable of a verse (from 1): ``single``, ``begin``, ``middle`` or ``end`` of its word; `held` or not."""

    verse: int
    text: str
    syllabic: str = "single"
    held: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """A chord (`heads`, lowest first), or a rest where there are none, from `onset` for `duration` ticks.

    `kind` is one of NOTE_TYPES with `dots`; `tuplets` outermost first. A grace chord has duration 0 and `grace` from 1
    (101 with a slash). `beams` says for each level from the eighth on ``begin``, ``continue``, ``end``, ``forward
    hook`` or ``backward hook``. `whole_bar`: a rest for the bar, whatever its length. `hidden`: time that passes
    unseen. `stem` is ``up``, ``down`` or empty.
    """

    onset: int
    duration: int
    staff: int
    heads: tuple[NoteHead, ...] = ()
    kind: str = "quarter"
    dots: int = 0
    tuplets: tuple[Tuplet, ...] = ()
    beams: tuple[str, ...] = ()
    grace: int = 0
    whole_bar: bool = False
    hidden: bool = False
    stem: str = ""
    syllables: tuple[Syllable, ...] = ()
    fermata: bool = False

    @property
    def is_rest(self) -> bool:
        """Whether no note stands here."""
        return not self.heads


@dataclasses.dataclass(frozen=True, slots=True)
class VoiceBar:
    """What one voice does in one bar: its events fill the bar from its first tick to its last."""

    voice: int
    staff: int
    events: tuple[Event, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SheetSign:
    """What hangs on a moment of a part other than notes.

    Kinds: ``tempo`` (`text` its words, `bpm` quarter notes a minute; `shown` whether a metronome
    mark is printed), ``dynamic``, ``words``, ``chord``, ``section``, ``segno``, ``coda``, and at the end of a bar
    ``jump`` (``to coda``, ``fine``, ``da capo …``, ``dal segno …``).
    """

    tick: int
    kind: str
    text: str = ""
    bpm: float = 0.0
    shown: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class KeySign:
    """A key signature as it is written in this part (after transposition); `mode` may be empty."""

    tick: int
    fifths: int
    mode: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ClefSign:
    """A clef on a staff: ``G2``, ``F4``, ``C3``, ``C4``, ``G2_8`` (sounds an octave lower), ``percussion``, ..."""

    tick: int
    staff: int
    clef: str


@dataclasses.dataclass(frozen=True, slots=True)
class SheetBar:
    """One bar of a part, from `start` for `length` ticks; `meter` is what rules, shown where `meter_shown`.

    `number` is the musician's; `implicit` bars (a pick-up, the rest of a bar cut by a repeat) are not counted.
    `meter_sign` is empty, ``common`` or ``cut``. `repeat_start` is at its left, `repeat_end` the times in all at its
    right (0: none); `ending_start` the numbers of an ending that begins here (``1,2``), `ending_stop` is empty,
    ``stop`` or ``open``, of the ending `ending`. `barline`, at its right: empty for the usual, ``double``, ``final``,
    ``dashed``, ``none``.
    """

    number: int
    start: int
    length: int
    meter: Meter
    implicit: bool = False
    meter_shown: bool = False
    meter_sign: str = ""
    keys: tuple[KeySign, ...] = ()
    clefs: tuple[ClefSign, ...] = ()
    repeat_start: bool = False
    repeat_end: int = 0
    ending_start: str = ""
    ending_stop: str = ""
    ending: str = ""
    barline: str = ""
    signs: tuple[SheetSign, ...] = ()
    voices: tuple[VoiceBar, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SheetPart:
    """One part: `index` is its track in the Score, `transpose` (diatonic, chromatic, octaves) leads to what sounds."""

    index: int
    track: Track
    abbreviation: str
    staves: int
    bars: tuple[SheetBar, ...]
    transpose: tuple[int, int, int] = (0, 0, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Parts from `first` to `last` joined by a ``bracket`` or a ``brace``, with a name."""

    first: int
    last: int
    symbol: str = "bracket"
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """A page: its parts, what stands above them (`head`: title, composer, ...), and how many notes were snapped."""

    ticks_per_quarter: int
    parts: tuple[SheetPart, ...]
    head: tuple[Text, ...] = ()
    groups: tuple[Group, ...] = ()
    snapped: int = 0

