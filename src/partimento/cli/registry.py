"""The commands about registries: fingerprints that authors give in place of their music."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from partimento.cli.parts import json_option, say, say_written, voice_options
from partimento.errors import ReadError, WriteError
from partimento.progress import Shown

_max_notes = click.option("--max-notes", type=int, default=5_000_000, show_default=True,
                          help="Leave out files of more notes.")


@click.group("registry")
def registry_group() -> None:
    """Fingerprints of music that may not be used, in place of the music.

    A registry holds short runs of melody as salted hashes: training with --opt-out leaves out what has one of them,
    and what a model so trained composes is checked against it.
    """


@registry_group.command("add")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("-o", "--out", required=True, help="Registry (.registry) to write; a new file.")
@click.option("--with", "beside", metavar="REGISTRY", help="Put in all that this registry holds too.")
@click.option("--note", default="", help="Who gives it and how to reach them; everyone can read it.")
@_max_notes
@voice_options
def add_music(files: Sequence[str], out: str, beside: str | None, note: str, max_notes: int, as_json: bool,
              quiet: bool) -> None:
    """FILES (music: files, folders, archives) into a registry.

    Give all editions of a piece at once. The music cannot be played from it, but who has the same music can see that
    it is in there, and who tries all likely melodies finds some of the runs.
    """
    from partimento.fingerprint import registry
    from partimento.formats.files import check_target, write_bytes

    place = Path(out)
    if place.suffix.lower() != registry.SUFFIX:
        raise WriteError(f"a registry must be a file that ends in {registry.SUFFIX}; got {out}: name it so")
    if place.exists():
        raise WriteError(f"a registry must be a new file, for its salt cannot be made again; {out} is there already: "
                         f"name another, and --with {out} to keep what it holds")
    check_target(place)
    held = registry.load(beside) if beside is not None else registry.Registry()
    skipped: list[str] = []
    with Shown(as_json, quiet) as shown:
        pieces = _with_melody(_music(files, max_notes, skipped, shown), skipped)
        found = registry.Registry.make(pieces, note=note, beside=held)
    both = held.merge(found)
    write_bytes(place, both.to_bytes())
    for sentence in skipped:
        click.echo(f"skipped {sentence}", err=True)
    if not quiet:
        (deposit,) = found.deposits
        say({"pieces": deposit.pieces, "runs": found.runs, "skipped": skipped, "all_runs": both.runs}, as_json,
            f"{_count(deposit.pieces, 'piece')}, {_count(found.runs, 'run')} of eleven notes"
            + (f"; with those before {both.runs:,}" if held.deposits else ""))
    say_written([place], as_json)


@registry_group.command("show")
@click.argument("registries", nargs=-1, required=True, type=click.Path())
@json_option
def show_registries(registries: Sequence[str], as_json: bool) -> None:
    """What REGISTRIES (files, or folders of them) hold: who gave how much."""
    from partimento.fingerprint import registry

    for deposit in registry.load(*registries).deposits:
        runs = len(deposit.digests)
        say({"note": deposit.note, "pieces": deposit.pieces, "runs": runs, "bits": deposit.bits,
             "salt": deposit.salt.hex()}, as_json,
            f"{deposit.note or 'without a note'}: {_count(deposit.pieces, 'piece')}, {_count(runs, 'run')}, "
            f"{deposit.bits} bits each")


@registry_group.command("check")
@click.argument("music", type=click.Path())
@click.argument("registries", nargs=-1, required=True, type=click.Path())
@_max_notes
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def check_music(music: str, registries: Sequence[str], max_notes: int, as_json: bool, quiet: bool) -> None:
    """Which pieces of MUSIC (a file, a folder, an archive) REGISTRIES know, and in which bars."""
    from partimento.fingerprint import registry

    known = registry.load(*registries)
    skipped: list[str] = []
    met = looked = 0
    with Shown(as_json, quiet) as shown:
        for name, score in _music([music], max_notes, skipped, shown):
            looked += 1
            found = known.matches(score)
            met += bool(found)
            for match in found:
                bars = [score.bar_number(match.begin), score.bar_number(max(match.begin, match.end - 1))]
                say({"file": name, "registry": match.label, "run": match.number + 1, "bars": bars,
                     "track": match.track + 1}, as_json,
                    f"{name}: bars {bars[0]}-{bars[1]}, track {match.track + 1}: run {match.number + 1} of "
                    f"{match.label}")
    for sentence in skipped:
        click.echo(f"skipped {sentence}", err=True)
    if not looked:
        raise ReadError(f"the music must be such as can be read; none of {music} can"
                        + (f" ({skipped[0]})" if skipped else ""))
    if not as_json:
        click.echo(f"{met:,} of {_count(looked, 'piece')} known from {_count(known.runs, 'run')}")


def _music(places: Sequence[str], max_notes: int, skipped: list[str], shown: Shown) -> Iterator[tuple[str, Any]]:
    """The name and the Score of every piece at `places`, in order; of those that cannot be read a sentence is kept."""
    from partimento.data import files, pool, shelf
    from partimento.formats import SUFFIXES
    from partimento.models.base import Progress
    from partimento.workers import worker_count

    names: list[str] = []
    paths: list[Path] = []
    size = 0
    for place in places:
        found = files.find(place, tuple(SUFFIXES), shown.report)
        names += found.files
        paths += [found.path(file) for file in found.files]
        skipped += [f"{file}: {detail}" for file, _, detail in found.refused]
        size += found.size
        if not found.files:
            skipped.append(f"{place}: no music in it")
    scores = shelf.Shelf()
    for done, answer in enumerate(pool.read_all(paths, workers=worker_count(len(paths), size), max_notes=max_notes), 1):
        if answer.score:
            scores.put(str(answer.number), answer.score)
        else:
            skipped.append(f"{names[answer.number]}: {answer.file.detail}")
        shown.report(Progress("reading", done, len(paths)))
    for number, name in enumerate(names):
        if str(number) in scores:
            yield name, scores.get(str(number))
        shown.report(Progress("comparing", number + 1, len(paths)))


def _with_melody(pieces: Iterable[tuple[str, Any]], skipped: list[str]) -> Iterator[Any]:
    """The Scores that a registry can hold something of; of the others a sentence is kept."""
    from partimento.fingerprint.lines import placed_lines
    from partimento.fingerprint.registry_runs import runs_of

    for name, score in pieces:
        if any(len(runs_of(line.symbols)[0]) for line in placed_lines(score)):
            yield score
        else:
            skipped.append(f"{name}: no eleven notes of melody in a row that are no scale or common turn")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
