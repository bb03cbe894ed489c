"""The command that judges: sets of pieces beside real ones."""

from __future__ import annotations

from typing import Any

import click

from partimento.cli.parts import json_option, say, say_written
from partimento.progress import Shown


@click.command()
@click.argument("music", type=click.Path())
@click.option("--reference", required=True, type=click.Path(), help="Real music to compare with: a folder or archive.")
@click.option("--bars", type=int, help="Compare stretches of so many bars [as long as the pieces are, 32 at most].")
@click.option("-o", "--out", metavar="TABLE", help="Write the table too (.json, .csv, .tex).")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws stretches, pieces and intervals.")
@click.option("--max-notes", type=int, default=5_000_000, show_default=True, help="Leave out files of more notes.")
@click.option("--workers", type=int, help="Processes that read [one a core].")
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def evaluate(music: str, out: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """How the pieces in MUSIC lie beside real ones, by the measures that papers report.

    Each measure has its mean with a 95 % interval for both sets, the overlap of their distances, and beside it that of
    real music beside real music: as many pieces of the reference against its others. "apart" is further than those.
    """
    from partimento.judge import evaluate as room

    with Shown(as_json, quiet) as shown:
        found = room.evaluate(music, report=shown.report, **given)
    say(found.as_dict(), as_json, room.evaluation_text(found))
    if out is not None:
        say_written([room.write_evaluation(found, out)], as_json)
