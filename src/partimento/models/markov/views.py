"""What each stage of writing a part looks at: the contexts of rhythm, chord size, pitch, duration and velocity.

The names: `part` (the role, and for pitches the line of the chord), `h1` `h2` … (the line's own last symbols, the
last one first), then by sense

- memory: `echo` and `match`, what came after the same few symbols earlier in the piece (see
  `partimento.counting.memory`)
- meter: `beat` and `bar` (steps since the beat, the bar), `meter`, `phrase` (bar of four);
- form: `final` (bars to come after this one, at most 3), `left` (steps to the end, at most eight quarters), `last`
  (notes of the line still to come, at most 4);
- key: `mode`;
- memory and form of a product of viewpoints: the threads and phrases of `partimento.models.markov.threads`;
- chords: `chord` and `then`, the chord symbols at this note and at the line's next one (4 × degree in semitones +
  quality);
- rhythm, for stages after it: `gap`, `before`, `after` (steps to the next onset, from the last, and the next gap),
  `size` (notes at once);
- others: what the other parts, or the outer lines of the same chords, do. `moves` is who begins a note now (1 the
  highest, 2 the lowest, 4 between), `n1` `n2` `n3` how far off the next onsets are and `m1` `m2` `m3` who moves
  there; `dtop` `dlow` `dmid` the interval by which that line just moved, `ntop` … by which it moves next, `span` from
  lowest to highest. For pitches: `top` `low` `mid` sound now, `p…` just before, `q…` at the line's last note, `r…` at
  its next one, `xtop` is the next note of the top line; a final `c` means pitch class. `above` and `below` are the
  nearest notes of the chord that stand already.

The lists were chosen on the validation parts of jsb_chorales, mutopia_midi and pop909; the weights of the mixture,
learnt for each kind of part on pieces held out, put aside those that do not help.
"""

from __future__ import annotations

import re

from partimento.counting.memory import THREADS
from partimento.counting.mixture import View, column

SENSES = ("memory", "meter", "form", "key", "chords", "rhythm", "others")

_SENSE = {
    "part": "", "beat": "meter", "bar": "meter", "meter": "meter", "phrase": "meter", "left": "form",
    "final": "form", "last": "form", "echo": "memory", "match": "memory", "chord": "chords", "then": "chords",
    "mode": "key", "gap": "rhythm", "before": "rhythm", "after": "rhythm", "size": "rhythm",
    **dict.fromkeys(THREADS, "memory"), **dict.fromkeys(("edge", "since", "until", "phrases"), "form"),
}
_AHEAD = re.compile("final|left|last|after|then|until|[nmrx](top|low|mid)c?|[nm][0-9]")   # what is still to come

RHYTHM = (
    View(("part", "beat", "h1", "bar", "h2", "left", "h3", "h4")),
    View(("part", "h1", "meter", "bar", "h2", "h3", "h4")),
    View(("part", "left", "beat", "bar", "h1", "h2")),
    View(("part", "final", "bar", "meter", "h1", "h2", "h3")),
    View(("part", "n1", "beat", "m1", "h1", "moves", "n2", "h2")),
    View(("part", "n1", "beat", "n2", "ntop", "nlow", "nmid", "dtop", "dlow", "dmid", "h1")),
    View(("part", "n1", "beat", "span", "m1", "h1", "n2")),
    View(("part", "match", "echo", "beat", "n1", "h1")),
)
SIZE = (
    View(("part", "h1", "beat", "h2", "gap", "bar", "h3")),
    View(("part", "gap", "beat", "moves", "h1", "n1")),
    View(("part", "h1", "h2", "h3", "h4")),
    View(("part", "match", "echo", "beat", "h1")),
)
PITCH = (
    View(("part", "h1", "beat", "h2", "last", "h3", "gap", "h4")),
    View(("part", "h1", "h2", "h3", "h4", "h5")),
    View(("part", "h1", "last", "mode", "h2", "bar", "gap", "before")),
    View(("part", "h1", "mode", "h2", "gap", "before", "h3", "beat", "last")),
    View(("part", "h1-h2", "beat", "gap", "h2-h3"), relative=True),
    View(("part", "h1", "topc", "lowc", "midc", "beat", "h2")),
    View(("part", "top", "lowc", "mid", "h1", "h2", "gap")),
    View(("part", "h1", "rtopc", "topc", "lowc", "gap", "rlowc")),
    View(("part", "h1", "topc", "lowc", "plowc", "ptopc", "beat")),
    View(("part", "h1", "low", "top", "qlow", "qtop", "h2")),
    View(("part", "low-h1", "top-h1", "mid-h1", "h1-h2", "beat"), relative=True),
    View(("part", "mid-h1", "top-h1", "low-h1", "rlow-h1", "rtop-h1"), relative=True),
    View(("part", "above", "size", "below", "h1", "lowc")),
    View(("part", "match", "echo-h1", "beat"), relative=True),
    View(("part", "match", "echo", "h1", "low")),
    View(("part", "chord", "h1", "beat", "h2", "h3")),
    View(("part", "h1", "chord", "beat", "then", "gap")),
    View(("part", "chord", "above", "below", "size", "h1")),
)
# What a product of viewpoints hears besides: threads through the line, its place in the phrase, longer runs.
PRODUCT = (
    View(("part", "h1", "edge", "mode", "bar", "meter")),
    View(("part", "bar", "meter", "h1", "mode", "gap")),
    View(("part", "h1-h2", "h2-h3", "h3-h4", "h4-h5"), relative=True),
    View(("part", "ofbar-h1", "h1-h2", "beat"), relative=True),
    View(("part", "ofphrase-h1", "h1", "edge")),
    View(("part", "ofpiece", "edge", "h1")),
    View(("part", "edge", "ending", "mode", "entry")),
    View(("part", "edge", "entry", "h1", "ending")),
    View(("part", "h1", "strong1", "strong2", "beat")),
    View(("part", "strong1", "strong2", "beat", "bar", "h1")),
    View(("part", "h1", "until", "mode", "h2", "gap")),
    View(("part", "until", "h1", "mode", "since")),
    View(("part", "h1", "since", "phrases", "mode")),
    View(("part", "last", "mode", "h1", "h2")),
    View(("part", "h1", "after", "gap", "before", "beat", "h2")),
    View(("part", "downbeat-h1", "bar", "meter", "h1-h2"), relative=True),
)
# What it counts in the line itself alone.
RECENT = (
    View(("h1", "h2", "h3", "h4", "h5", "h6")),
    View(("h1-h2", "h2-h3", "h3-h4", "h4-h5"), relative=True),
    View(("h1", "bar", "h2", "gap")),
    View(("edge", "since", "h1", "h2")),
    View(("until", "h1", "h2")),
)
DURATION = (
    View(("part", "gap", "beat", "size", "h1", "n1")),
    View(("part", "h1", "gap", "h2", "bar", "meter")),
    View(("part", "gap", "after", "n1", "h1")),
    View(("part", "match", "echo", "gap", "h1")),
)
VELOCITY = (
    View(("part", "h1", "beat", "h2")),
    View(("part", "bar", "h1")),
    View(("part", "beat", "h1-h2"), relative=True),
)


def sense(name: str) -> str:
    """The sense that a context column belongs to; empty for `part` and the line's own symbols.

    >>> sense("beat"), sense("rtopc"), sense("low-h1"), sense("h2")
    ('meter', 'others', 'others', '')
    """
    outside = column(name).outside
    return _SENSE.get(outside, "others") if outside else ""


def chosen(views: tuple[View, ...], order: int, senses: tuple[str, ...], ahead: bool = True) -> list[View]:
    """The views with the columns of other senses, and symbols more than `order` back, left out; no view twice.

    Without `ahead`, what is still to come is left out too.
    """
    out: dict[View, None] = {}
    for view in views:
        columns = tuple(c for c in view.columns if sense(c) in ("", *senses) and column(c).reach <= order
                        and (ahead or not _AHEAD.fullmatch(column(c).outside)))
        if len(columns) > 1 or view is views[0]:
            out[View(columns, view.relative and order > 0)] = None
    longer = [v for v in out if not any(w.relative == v.relative and w != v and w.columns[:len(v.columns)] == v.columns
                                        for w in out)]
    return longer
