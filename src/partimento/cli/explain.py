"""The command that says why notes are there."""

from __future__ import annotations

from typing import Any

import click

from partimento.cli.parts import input_options, json_option, say


@click.command("explain")
@click.argument("music", type=click.Path())
@click.option("--bars", required=True, metavar="PLACE",
              help="Which notes: 3, 3-4, or 3.2 for beat 2 of bar 3; a pick-up is 0.")
@click.option("--tracks", default="", help="Names or numbers of tracks, with commas between [all].")
@click.option("--model", default="", help="A family or a checkpoint [what the piece says made it, else markov].")
@input_options
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def explain_notes(music: str, quiet: bool, as_json: bool, **given: Any) -> None:
    """Why the notes of MUSIC in some bars are there, and what else was likely.

    A model says of any music how it would have come to these notes: the context it heard, how often it met that, how
    likely the note was then, and which other notes were.
    """
    from partimento.explaining import explain
    from partimento.progress import Shown

    with Shown(as_json, quiet) as shown:
        found = explain(music, report=shown.report, **given)
    for one in found:
        say(one.as_dict(), as_json, one.text)
