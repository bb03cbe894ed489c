"""The command that says whether pieces are new."""

from __future__ import annotations

import click

from partimento.cli.parts import json_option, say
from partimento.progress import Shown


@click.command()
@click.argument("pieces", nargs=-1, required=True, type=click.Path())
@click.option("--reference", type=click.Path(),
              help="What to compare with: a corpus, a checkpoint or an index [the bundled checkpoint's].")
@click.option("--strict", is_flag=True, help="Less is borrowed already.")
@click.option("--workers", type=int, help="Processes that read [one a core].")
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def originality(pieces: tuple[str, ...], reference: str | None, strict: bool, workers: int | None, as_json: bool,
                quiet: bool) -> None:
    """What PIECES share with the music of a corpus, and whether that is original, common or borrowed.

    One file is told of passage by passage; of a folder, an archive or several files there is a table.
    """
    from partimento.judge import originality as room
    from partimento.judge.compared import indexes_of, pieces_of

    with Shown(as_json, quiet) as shown:
        indexes = indexes_of(reference, workers=workers, report=shown.report)
        strength = "strict" if strict else "normal"
        found = [(name, room.originality_among(score, indexes, strength=strength))
                 for name, score in pieces_of(pieces, workers=workers, report=shown.report)]
    if as_json:
        for name, one in found:
            say({"file": name, **one.as_dict()}, True, "")
    elif len(found) == 1:
        say(None, False, room.originality_text(found[0][1]))
    else:
        say(None, False, room.originality_table(found))
