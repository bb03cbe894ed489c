"""The command that judges: sets of pieces beside real ones, one piece, and what listeners said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from partimento.cli.parts import json_option, max_notes_option, say, say_written, workers_option
from partimento.errors import RequestError
from partimento.progress import Shown


@click.command()
@click.argument("music", type=click.Path(), required=False)
@click.option("--reference", type=click.Path(), help="Real music to compare with: a folder or archive.")
@click.option("--model", help="Bits per note under this model: a family or a checkpoint.")
@click.option("--bars", type=int, help="Of sets, compare stretches of so many bars [as long as they are, 32 at most].")
@click.option("-o", "--out", "outs", multiple=True, metavar="FILE",
              help="Write a page (.html) or the numbers (.json; of sets .csv, .tex) too. May be given again.")
@click.option("--repair", metavar="PIECE", help="Of one piece: write what is faulty anew, into this file.")
@click.option("--with", "repairer", metavar="MODEL", default="markov", show_default=True,
              help="The model that repairs.")
@click.option("--listening-page", "page", metavar="HTML",
              help="Write a blind listening test of MUSIC and the reference, and its key beside it.")
@click.option("--listening", "answers", multiple=True, metavar="ANSWERS",
              help="What a listener said: the answers.json that the page saved. May be given again.")
@click.option("--key", metavar="KEY", help="The key that was written beside the listening page.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws stretches, pieces, intervals and repairs.")
@max_notes_option
@workers_option
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def evaluate(music: str | None, reference: str | None, outs: Sequence[str], page: str | None, answers: Sequence[str],
             key: str | None, repair: str | None, repairer: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """How good MUSIC is: a set of pieces beside real ones, or one piece.

    Of a folder or an archive: the measures that papers report, and the distance of the sets, each with a 95 % interval,
    and beside it that of real music beside real music; "apart" is further than those. Of one piece: its faults by track
    and bar, its rank among real pieces, and what it borrows from the reference. Of --listening answers: which set
    listeners prefer, and which measures agree with them.
    """
    from partimento import evaluating as room

    same = {name: given[name] for name in ("workers", "max_notes", "seed")}
    written: list[Path] = []
    with Shown(as_json, quiet) as shown:
        if answers:
            if music is not None or key is None:
                raise RequestError("answers of listeners must come with the key of their page and nothing else; give "
                                   "--listening ANSWERS --key PAGE.key.json")
            found = room.heard_by(answers, key, seed=given["seed"])
        elif music is None:
            raise RequestError("there must be something to judge: give a piece, a folder of pieces, or --listening")
        elif page is not None:
            if reference is None:
                raise RequestError("a listening test must compare two sets; give the other one with --reference")
            written += room.listening_test(music, reference, page, report=shown.report, **same)
            found = None
        else:
            shows = any(Path(out).suffix.lower() in room.PAGES for out in outs)
            found = room.evaluate(music, reference, pieces=room.SHOWN if shows else 0, report=shown.report, **given)
        if found is not None:
            written += [found.write(out, report=shown.report) for out in outs]
    if found is not None:
        say(found.as_dict(), as_json, found.text)
    if repair is not None:
        written += _repaired(music, found, repair, repairer, given["seed"], as_json)
    if written or repair is not None:
        say_written(written, as_json)


def _repaired(music: str | None, found: Any, out: str, model: str, seed: int, as_json: bool) -> list[Path]:
    """Write the repaired piece and say what became of its faults."""
    from partimento import evaluating
    from partimento.repair import repair_text

    if music is None or found is None or len(found.pieces) != 1 or found.evaluation is not None:
        raise RequestError("one piece at a time is repaired; name a file of music")
    done, written = evaluating.repaired(music, found.pieces[0], out, model=model, seed=seed)
    say({"mended": [{"fault": one.finding._asdict(), "gone": one.gone} for one in done.faults],
         "new": [one._asdict() for one in done.new], "notes": done.notes}, as_json, repair_text(done))
    return written
