"""The command that makes a checkpoint forget a piece."""

from __future__ import annotations

import click

from partimento.cli.parts import json_option, max_notes_option, say, workers_option


@click.command("forget")
@click.argument("checkpoint", type=click.Path())
@click.option("--piece", "pieces", multiple=True, required=True, metavar="PIECE",
              help="The file that was learnt, its sha256, or its name in the ledger (with --music). May be repeated.")
@click.option("-o", "--out", metavar="FILE", help="Where to write [beside CHECKPOINT, as NAME-forgot.partimento].")
@click.option("--music", metavar="FOLDER", help="The folder or archive that was learnt from.")
@click.option("--also-alike", is_flag=True, help="Forget every piece of the same melody too (with --music).")
@click.option("--refit", is_flag=True,
              help="Learn again from the other pieces (with --music): what was chosen on the piece is chosen anew.")
@click.option("--device", default="auto", show_default=True, help="Where to learn again: auto, cpu, cuda, mps.")
@max_notes_option
@workers_option
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def forget_piece(checkpoint: str, pieces: tuple[str, ...], out: str | None, music: str | None, also_alike: bool,
                 refit: bool, device: str, max_notes: int, workers: int | None, quiet: bool, as_json: bool) -> None:
    """Write CHECKPOINT without a piece: in the model, the ledger, the record and the index.

    A model that counts (markov) subtracts what the piece counted, and says whether that is all; what was chosen on the
    music, such as weights, stays, is listed, and is chosen anew with --refit. Other models learn again without the
    piece, with the same settings and seed. CHECKPOINT itself stays as it is, unless -o names it. Of the piece the
    sha256 of its file stays in the record, so that it can be shown that it was forgotten.
    """
    from partimento.forgetting import forget
    from partimento.progress import Shown

    with Shown(as_json, quiet) as shown:
        result = forget(checkpoint, pieces, out=out, music=music, also_alike=also_alike, refit=refit, workers=workers,
                        max_notes=max_notes, device=device, report=shown.report)
    say(result.as_dict(), as_json, result.summary())
