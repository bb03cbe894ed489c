"""A record in words, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partimento.data.ledger import shown
from partimento.provenance.kept import bars_said
from partimento.provenance.record import Record


def record_text(record: Record) -> str:
    """The text for a terminal of a record: what made the piece, the steps, and who made which bars.

    >>> from partimento.generate import generate
    >>> from partimento.models.random import Random
    >>> from partimento.provenance.making import record_of
    >>> from partimento.request import Request
    >>> print(record_text(record_of(generate(Request(bars=4, seed=7), Random())[0])).split("\\n")[-1])
    piano: bars 1-4 composed (1)
    """
    maker, request = record.maker, record.request.replace(input=None)
    lines = [f"made by partimento {record.partimento} ({record.platform})"]
    lines += [f"{name}: {_value(value)}" for name, value in sorted(maker.items())]
    lines += [f"settings: {request.to_json()}" + (" and the piece worked on" if record.request.input else "")]
    lines += [f"originality: {record.originality.get('text') or _value(record.originality) or 'not measured'}"]
    lines += ["signed by " + record.signature.key if record.signature else "unsigned"]
    lines += [] if record.whole else ["THIS RECORD WAS EDITED: its sha256 is not that of its content"]
    lines += [f"step {number}: {_step(step)}" for number, step in enumerate(record.steps, 1)]
    for own in record.hands:
        said = [f"{bars_said(range(run.first, run.last + 1))} {_who(run.steps, record.steps)}" for run in own.runs]
        lines.append(f"{own.track}: {'; '.join(said) or 'no bars'}")
    return shown("\n".join(lines))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)


def _step(step: Mapping[str, Any]) -> str:
    rest = [f"{name} {_value(value)}" for name, value in step.items() if name != "by"]
    return f"{step.get('by', '?')}{f' ({chr(44).join(rest)})' if rest else ''}".replace(",", ", ")


def _who(who: Sequence[int], steps: Sequence[Mapping[str, Any]]) -> str:
    return " and ".join(f"{steps[at].get('by', '?')} ({at + 1})" for at in who) or "by nobody recorded"
