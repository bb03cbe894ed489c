"""What several commands share: options, and how things are said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from partimento.errors import WriteError

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
corpus_options = add_options(
    click.option("--licence", help="Licence of the music, where the folder does not say."),
    click.option("--rights", "rights_sheet", metavar="CSV",
                 help="Rights sheet: the licence of each file [NAME.rights.csv beside the folder, rights.csv in it]."),
    click.option("--opt-out", metavar="LIST",
                 help="What may not be used: a text of file names and sha256, or the music itself (a file, a folder, "
                      "an archive). What has the same melody is left out too."),
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
