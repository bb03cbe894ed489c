"""Beams: which notes hang together, by the beats of the meter."""

from __future__ import annotations

from collections.abc import Sequence

from partimento.notation.sheet_meter import Pulse
from partimento.notation.sheet_page import NOTE_TYPES
from partimento.notation.sheet_values import ValuedPiece

_EIGHTH = NOTE_TYPES.index("eighth")


def flags(kind: str) -> int:
    """Return how many beams a value has: 1 for an eighth, 2 for a 16th, 0 from the quarter up.

    >>> flags("16th"), flags("half")
    (2, 0)
    """
    return max(0, NOTE_TYPES.index(kind) - _EIGHTH + 1)


def beamed(pieces: Sequence[ValuedPiece], rests: Sequence[bool], pulse: Pulse) -> list[tuple[str, ...]]:
    """Return for each piece its beams, level by level; `rests` says which pieces are rests and so break them.

    >>> from partimento.notation.sheet_meter import pulse_of
    >>> eighths = [ValuedPiece(i, i * 240, i * 240 + 240, "eighth", 0) for i in range(4)]
    >>> beamed(eighths, [False] * 4, pulse_of(2, 4, 480))
    [('begin',), ('continue',), ('continue',), ('end',)]
    """
    levels = [0 if rest else flags(piece.kind) for piece, rest in zip(pieces, rests, strict=True)]
    out: list[tuple[str, ...]] = [()] * len(pieces)
    for run in _runs(pieces, levels, pulse):
        if len(run) > 1:
            for index, beams in zip(run, _of_run([levels[i] for i in run], [pieces[i] for i in run], pulse),
                                    strict=True):
                out[index] = beams
    return out


def beamed_graces(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the beams of a group of grace notes, which hang together where they are more than one."""
    if len(kinds) < 2:
        return [() for _ in kinds]
    last = len(kinds) - 1
    return [tuple("begin" if i == 0 else "end" if i == last else "continue" for _ in range(flags(kind)))
            for i, kind in enumerate(kinds)]


def _runs(pieces: Sequence[ValuedPiece], levels: Sequence[int], pulse: Pulse) -> list[list[int]]:
    """Neighbours that hang together: all with flags, nothing between them, in one group of the meter."""
    shorter = {_beat(piece, pulse) for piece, level in zip(pieces, levels, strict=True) if level > 1}
    tuplets = {_beat(piece, pulse) for piece in pieces if piece.tuplets}
    runs: list[list[int]] = []
    for i, piece in enumerate(pieces):
        if not levels[i]:
            continue
        before = runs[-1][-1] if runs and runs[-1][-1] == i - 1 else None
        if before is not None and _together(pieces[before], piece, pulse, shorter | tuplets):
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _beat(piece: ValuedPiece, pulse: Pulse) -> int:
    return piece.start // pulse.beat


def _together(left: ValuedPiece, right: ValuedPiece, pulse: Pulse, divided: set[int]) -> bool:
    if left.stop != right.start:
        return False
    outer = left.tuplets[:1]
    if outer and outer == right.tuplets[:1]:
        return True
    if pulse.irregular:
        edges = pulse.edges
        return next(i for i, e in enumerate(edges[1:]) if left.start < e) == \
            next(i for i, e in enumerate(edges[1:]) if right.start < e)
    one, two = _beat(left, pulse), _beat(right, pulse)
    if one == two:
        return True
    if pulse.compound or pulse.beat > pulse.quarter:
        return False
    span = pulse.bar if pulse.bar <= 3 * pulse.quarter else 2 * pulse.quarter
    if left.start // span != right.start // span:
        return False
    # eighths of a half bar (of a bar in 2/4, 3/4, 3/8) hang together, but not across beats with anything shorter
    first = left.start // span * span
    inside = range(first // pulse.beat, -(-(first + span) // pulse.beat))
    return not any(beat in divided for beat in inside) if pulse.beat == pulse.quarter else True


def _of_run(levels: list[int], pieces: list[ValuedPiece], pulse: Pulse) -> list[tuple[str, ...]]:
    out: list[list[str]] = [[] for _ in levels]
    for level in range(1, max(levels) + 1):
        for i, own in enumerate(levels):
            if own < level:
                continue
            left = i > 0 and levels[i - 1] >= level and not _secondary_break(pieces[i], level, pulse)
            right = i + 1 < len(levels) and levels[i + 1] >= level and \
                not _secondary_break(pieces[i + 1], level, pulse)
            if left or right:
                out[i].append("continue" if left and right else "end" if left else "begin")
            else:
                out[i].append(_hook(i, levels, pieces, level))
    return [tuple(beams) for beams in out]


def _secondary_break(piece: ValuedPiece, level: int, pulse: Pulse) -> bool:
    """Beams from the 32nd on are broken at each half of a beat, of 16ths in long groups at each beat."""
    if piece.tuplets:
        return False
    if level == 2:
        return piece.start % pulse.quarter == 0 and not pulse.compound
    return level > 2 and piece.start % max(1, pulse.quarter // 2) == 0


def _hook(i: int, levels: list[int], pieces: list[ValuedPiece], level: int) -> str:
    if i == 0:
        return "forward hook"
    if i == len(levels) - 1:
        return "backward hook"
    piece = pieces[i]
    length = piece.stop - piece.start
    return "backward hook" if pieces[i - 1].dots or (piece.start // max(1, length)) % 2 else "forward hook"
