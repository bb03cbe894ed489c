"""What several commands share: options, and how things are said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from partimento.errors import RequestError, WriteError

Command = Callable[..., None]


def add_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator of several options, shown in this order."""
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command
    return add


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
voice_options = add_options(json_option, click.option("--quiet", is_flag=True, help="Print only the paths written."))
max_notes_option = click.option("--max-notes", type=int, default=5_000_000, show_default=True,
                                help="Leave out, or refuse, files of more notes.")
workers_option = click.option("--workers", type=int, help="How many processes [one a core].")


def _downbeat(context: click.Context, option: click.Parameter, value: str | None) -> float | str | None:
    from partimento.formats import parse_downbeat

    return parse_downbeat(value)


input_options = add_options(
    click.option("--input-meter", metavar="METER|auto",
                 help="Read the bars of the input in this meter, such as 4/4 (auto: every bar found); no note moves."),
    click.option("--input-downbeat", metavar="QUARTERS|auto", callback=_downbeat,
                 help="Where a first beat of the input is, in quarter notes from its start, or auto: found from the "
                      "notes of each file; no note moves."),
    max_notes_option,
)
paper_option = click.option("--paper", type=click.Choice(["A4", "letter"]), default="A4", show_default=True,
                      help="Paper of engraved pages.")
corpus_options = add_options(
    click.option("--licence", help="Licence of the music, where the folder does not say."),
    click.option("--rights", "rights_sheet", metavar="CSV",
                 help="Rights sheet: the licence of each file [NAME.rights.csv beside the folder, rights.csv in it]."),
    click.option("--opt-out", metavar="LIST",
                 help="What may not be used: a text of file names and sha256, a registry, or the music (a file, a "
                      "folder, an archive). What has the same melody is left out too."),
    click.option("--keep-duplicates", "near", flag_value="keep",
                 help="Use near duplicates too: other keys, editions, arrangements [one of each, and its takes]."),
    click.option("--one-take", "near", flag_value="one",
                 help="Of takes and versions of a piece too use only the longest."),
)


def given_only(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given on the command line, without what was not.

    >>> given_only({"near": None, "seed": 0})
    {'seed': 0}
    """
    return {name: value for name, value in given.items() if value is not None}


def say(value: Any, as_json: bool, text: str) -> None:
    """Print the text, or the value as one line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=True, default=str) if as_json else text)


def say_written(paths: Sequence[Path], as_json: bool) -> None:
    """Print the paths written, a line each; WriteError where there is none."""
    if not paths:
        raise WriteError("nothing was written")
    for path in paths:
        say({"written": str(path)}, as_json, str(path))


def named_values(items: Sequence[str], option: str) -> dict[str, str]:
    """NAME=VALUE items as a table; RequestError where one is not, or says a name again.

    >>> named_values(["density=6", "piano.density = 4"], "--target")
    {'density': '6', 'piano.density': '4'}
    """
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise RequestError(f"{option} must be NAME=VALUE; got {item!r}")
        if name.strip() in found:
            raise RequestError(f"{option} must say a name once; {name.strip()!r} is said twice")
        found[name.strip()] = value.strip()
    return found
