"""Small files of MusicXML, put together for tests, and what a Score read from one holds."""

from __future__ import annotations

from partimento.formats.musicxml_read import parse
from partimento.score import Score

ATTRIBUTES = "<attributes><divisions>4</divisions><key><fifths>{}</fifths></key><time><beats>{}</beats>" \
             "<beat-type>{}</beat-type></time></attributes>"
FOUR = ATTRIBUTES.format(0, 4, 4)


def page(*parts: list[str], head: str = "", listed: str = "", timewise: bool = False) -> bytes:
    """A whole file: each part a list of what its measures hold; ``-`` is a measure that lacks the part, if timewise."""
    part_list = listed or "".join(f'<score-part id="P{i}"/>' for i in range(len(parts)))
    if timewise:
        body = "".join("<measure>" + "".join(f'<part id="P{i}">{part[n]}</part>' for i, part in enumerate(parts)
                                             if n < len(part) and part[n] != "-") + "</measure>"
                       for n in range(max(map(len, parts))))
    else:
        body = "".join(f'<part id="P{i}">' + "".join(f"<measure>{m}</measure>" for m in part) + "</part>"
                       for i, part in enumerate(parts))
    kind = "timewise" if timewise else "partwise"
    return f"<score-{kind}>{head}<part-list>{part_list}</part-list>{body}</score-{kind}>".encode()


def n(name: str, duration: int = 4, inner: str = "", first: str = "", attributes: str = "") -> str:
    """A note such as ``C4``, ``F#5``, ``Bb3`` or ``rest``; `first` before the pitch, `inner` after the duration."""
    if name == "rest":
        pitch = "<rest/>"
    else:
        alter = {"#": 1, "b": -1}.get(name[1:-1], 0)
        pitch = f"<pitch><step>{name[0]}</step>{f'<alter>{alter}</alter>' if alter else ''}" \
                f"<octave>{name[-1]}</octave></pitch>"
    lasting = "" if "grace" in first else f"<duration>{duration}</duration>"
    return f"<note {attributes}>{first}{pitch}{lasting}{inner}</note>"


def read(*measures: str, head: str = "", listed: str = "") -> Score:
    """The Score of a file with one part of these measures."""
    return parse(page(list(measures), head=head, listed=listed)).score


def rows(score: Score) -> list[tuple[float, float, int]]:
    """Onset and duration in quarter notes, and pitch."""
    clock = score.ticks_per_quarter
    return [(int(o) / clock, int(d) / clock, int(p))
            for o, d, p in zip(score.onset, score.duration, score.pitch, strict=True)]


def marks(score: Score, kind: str) -> list[tuple[float, str]]:
    """The marks of a kind, in quarter notes."""
    return [(mark.tick / score.ticks_per_quarter, mark.text) for mark in score.marks if mark.kind == kind]


def texts(score: Score, kind: str) -> list[tuple[float, int, str]]:
    """The texts of a kind with their tracks, in quarter notes."""
    return [(t.tick / score.ticks_per_quarter, t.track, t.text) for t in score.texts if t.kind == kind]


def direction(kind: str, sound: str = "", offset: str = "") -> str:
    return f"<direction><direction-type>{kind}</direction-type>{offset}{sound}</direction>"


def said(words: str, sound: str = "") -> str:
    return direction(f"<words>{words}</words>", sound)


WHOLE = n("C4", 16)


def listed(name: str, inner: str = "", number: int = 0, abbreviation: str = "") -> str:
    return f'<score-part id="P{number}"><part-name>{name}</part-name>' \
           f'<part-abbreviation>{abbreviation}</part-abbreviation>{inner}</score-part>'


def midi(program: int, channel: int = 1, sound: str = "") -> str:
    return f'<score-instrument id="I"><instrument-name/>{sound}</score-instrument><midi-instrument id="I">' \
           f'<midi-channel>{channel}</midi-channel><midi-program>{program}</midi-program></midi-instrument>'
