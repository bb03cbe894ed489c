"""The commands about corpora: open sets of music, the rights sheet, duplicates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from partimento.cli.parts import (
    corpus_options,
    given_only,
    json_option,
    max_notes_option,
    say,
    say_written,
    voice_options,
)
from partimento.progress import Shown


@click.group("data")
def data_group() -> None:
    """Music to learn from: open sets, rights, duplicates."""


_sets = click.option("--sets", metavar="JSON", help="A file that declares sets of your own [those of partimento].")


@data_group.command("list")
@_sets
@json_option
def list_sets(sets: str | None, as_json: bool) -> None:
    """The open sets of music that `get` fetches."""
    from partimento.data import sets as known

    for one in known.declared(sets).values():
        row = known.describe_set(one)
        size = f"; {row['size'] / 1e6:,.1f} MB" if row["size"] else ""
        say(row, as_json, f"{one.name}: {one.title}; {one.licence}; {row['may']}{size}")


@data_group.command("get")
@click.argument("name")
@click.option("-o", "--out", default=".", show_default=True, help="Folder in which the folder NAME is made.")
@_sets
@voice_options
def get_set(name: str, out: str, sets: str | None, as_json: bool, quiet: bool) -> None:
    """The set NAME, fetched, checked and unpacked into a folder.

    A fetch that was cut goes on when it is run again. Beside the music stand rights.csv, with the licence and sha256
    of every file, and set.json, which says what to cite.
    """
    from partimento.data import sets as known

    with Shown(as_json, quiet) as shown:
        place = known.get(name, out, sets=sets, report=shown.report)
    if not quiet:
        row = json.loads((place / known.ABOUT_SET).read_text(encoding="utf-8"))
        say(row, as_json, f"{row['title']}; {row['licence']}; {known.VERDICTS[row['verdict']]}\n"
                          f"cite: {row['citation']}")
    say_written([place], as_json)


@data_group.command("rights")
@click.argument("folder", type=click.Path())
@click.option("-o", "--out", help="Table (CSV) to write [NAME.rights.csv beside the folder].")
@click.option("--source", help="Where the music comes from, where the folder does not say.")
@corpus_options
@max_notes_option
@voice_options
def write_rights(folder: str, out: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """The rights sheet of a FOLDER: source, licence, sha256 of each file, if it is used, and why not.

    A spreadsheet opens it; what is given_only in there holds from then on.
    """
    from partimento import data
    from partimento.data import archive, rights

    place = Path(folder).resolve()
    target = Path(out) if out else place.with_name(f"{archive.archive_stem(place.name)}.{rights.SHEET_NAME}")
    corpus = _load(folder, as_json, quiet, data, given)
    corpus.write_rights(target)
    if not quiet:
        say({**corpus.counts, "licences": corpus.licences, "unlicensed": corpus.unlicensed,
             "notices": corpus.notices}, as_json, corpus.summary())
    say_written([target], as_json)


@data_group.command("duplicates")
@click.argument("folder", type=click.Path())
@max_notes_option
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def show_duplicates(folder: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """Which files of a FOLDER are the same music: by bytes, by notes, by melody in any key or engraving."""
    from partimento import data

    corpus = _load(folder, as_json, quiet, data, {**given, "near": "keep"})
    copies = [entry for entry in corpus.entries if entry.why == "duplicate"]
    for entry in copies:
        first = entry.detail.partition(" as ")[2]
        say({"first": first, "second": entry.file, "share": 1.0, "exact": True}, as_json,
            f"{entry.file}: {entry.detail}")
    for pair in corpus.alike:
        say({**pair._asdict(), "exact": False}, as_json,
            f"{pair.second}: the same melody as {pair.first} ({pair.share:.0%})")
    if not (copies or corpus.alike) and not as_json:
        click.echo("no two files are the same music")


def _load(folder: str, as_json: bool, quiet: bool, data: Any, given: dict[str, Any]) -> Any:
    with Shown(as_json, quiet) as shown:
        return data.load(folder, progress=shown.report, **given_only(given))
