"""What is said of an event, in numbers: the fields that a network reads, and which stage of a choice may see which.

An event is a note, a bar line, or a skip over a long rest; events stand in order of (step, track, pitch). One event
is chosen in stages, each given the ones before: `move` (how many steps on), `track`, `pitch`, `duration`, `loudness`.
Every field is known before the first stage that sees it, and all fields of a finished event are the network's next
input. INDEX fields hold one number in 0..size−1; BITS fields are sets, written as bool[size]; TRACK_INDEX fields hold
one number for each track at the place moved to, and only `track` sees them. `known` notes are those that are kept
and lie ahead: what the music must still pass through.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_MOVE = 96                   # steps: longer rests are skips of MAX_MOVE and the rest of the way
MAX_TRACKS = 32                 # tracks that have a number of their own; later ones share the last
PITCHES, NO_PITCH = 128, 256    # a drum's pitch is PITCHES + pitch, no note NO_PITCH
SOUNDS = 257                    # sizes of a pitch field: pitched, drums, none
PROGRAMS, DRUMS, NO_PROGRAM = 130, 128, 129
LOUDNESSES = 32                 # of 4 velocities each
PLACES = 192                    # steps into a bar; later ones share the last
HYPER = 8                       # bars of a hypermeter
LEFT = 18                       # whole bars that follow, up to 16; 17: not said
SOON = 12                       # steps that count as soon
TIMES = 40                      # see `events.page.time_class`
DURATIONS = 96 + 24 + 1         # see `events.page.duration_class`
BEGIN, MIDDLE, NOTE, BAR, SKIP, AHEAD = range(6)    # kinds of event; the first of a stream says where it begins;
#                                 AHEAD: a known note that lies ahead, where a network hears it before it comes


class Field(NamedTuple):
    """A field by name, and its size."""

    name: str
    size: int


INDEX = (
    Field("kind", 6),
    Field("move", MAX_MOVE + 1),            # steps from the event before
    Field("track", MAX_TRACKS + 1),         # MAX_TRACKS: none
    Field("program", PROGRAMS),
    Field("pitch", SOUNDS),
    Field("duration", DURATIONS + 1),       # the last: none
    Field("loudness", LOUDNESSES + 1),      # the last: none
    Field("place", PLACES),                 # steps into the bar, here
    Field("bar", PLACES + 1),               # steps in the whole bar, here
    Field("pulse", 49),                     # steps in a beat
    Field("left", LEFT),
    Field("hyper", HYPER),
    Field("key", 25),                       # tonic, + 12 where minor; 24: none
    Field("tempo", 12),                     # see `events.page.tempo_class`
    Field("from_place", PLACES),            # place and bar at the event before
    Field("from_bar", PLACES + 1),
    Field("from_wait", MAX_MOVE + 2),       # steps from the event before to the next known note; the last: none near
    Field("last", SOUNDS),                  # the pitches that this track played last, and before that
    Field("before", SOUNDS),
    Field("below", SOUNDS),                 # the pitch under this one in its chord (same step, same track)
    Field("lasted", DURATIONS + 1),         # the duration that this track played last
    Field("louder", LOUDNESSES + 1),        # the loudness that this track played last
    Field("around", LOUDNESSES + 1),        # the loudness of the note event before, in any track
    Field("next", SOUNDS),                  # the next known pitch of this track
    Field("wait", TIMES),                   # how long until it begins
)
NONE = {                                    # what stands for none, in the fields where there may be none
    "track": MAX_TRACKS, "program": NO_PROGRAM, "pitch": NO_PITCH, "duration": DURATIONS, "loudness": LOUDNESSES,
    "last": NO_PITCH, "before": NO_PITCH, "below": NO_PITCH, "lasted": DURATIONS, "louder": LOUDNESSES,
    "around": LOUDNESSES, "next": NO_PITCH, "wait": TIMES - 1, "from_wait": MAX_MOVE + 1}
BITS = (
    Field("from_ends", MAX_MOVE + 1),       # in how many steps what sounds ends, seen from the event before
    Field("from_known", MAX_MOVE + 1),      # in how many steps known notes begin, seen from there
    Field("from_echo", MAX_MOVE + 1),       # in how many steps the bar before had onsets, seen from there
    Field("others", PITCHES),               # what other tracks sound here (begun by the event before; drums aside)
    Field("own", PITCHES),                  # what this track sounds here
    Field("known", PITCHES),                # known notes that begin here (drums aside)
    Field("soon", PITCHES),                 # known notes that begin within the next SOON steps (drums aside)
    Field("echo", PITCHES),                 # what this track began one bar ago
    Field("ends", MAX_MOVE + 1),            # in how many steps what sounds ends, seen from here
    Field("onsets", MAX_MOVE + 1),          # in how many steps known notes begin, seen from here
)
TRACK_INDEX = (
    Field("t_track", MAX_TRACKS + 1),
    Field("t_program", PROGRAMS),
    Field("t_rest", TIMES),                 # how long what it plays still sounds
    Field("t_since", TIMES),                # how long since it last began a note
    Field("t_last", SOUNDS),
    Field("t_known", 2),                    # whether a known note begins there
    Field("t_echo", 2),                     # whether it began a note one bar ago
    Field("t_same", 2),                     # whether it is where the event before was: its chord would go on
)
STAGES = {"move": MAX_MOVE + 1, "track": 0, "pitch": PITCHES, "duration": DURATIONS, "loudness": LOUDNESSES}
_HERE = ("move", "place", "bar", "left")
_WHO = (*_HERE, "track", "program")
SEES: dict[str, tuple[str, ...]] = {
    "input": tuple(field.name for field in (*INDEX, *BITS) if not field.name.startswith("from_")),
    "move": ("from_place", "from_bar", "from_wait", "from_ends", "from_known", "from_echo"),
    "track": _HERE,
    "pitch": (*_WHO, "key", "last", "before", "below", "next", "wait", "others", "own", "known", "soon", "echo"),
    "duration": (*_WHO, "pitch", "lasted", "below", "next", "wait", "ends", "onsets"),
    "loudness": (*_WHO, "pitch", "duration", "louder", "around"),
}
