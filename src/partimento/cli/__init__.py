"""The command line: every verb through one Request, one spelling of every option, the written path as the last line."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from partimento import __version__
from partimento.cli.composing import accompany, compose, continue_, demo, harmonize, humanize, infill, replay, vary
from partimento.cli.data import data_group
from partimento.cli.explain import explain_notes
from partimento.cli.forget import forget_piece
from partimento.cli.judge import evaluate
from partimento.cli.originality import originality
from partimento.cli.parts import (
    corpus_options,
    given_only,
    input_options,
    json_option,
    named_values,
    paper_option,
    say,
    say_written,
    voice_options,
    workers_option,
)
from partimento.cli.provenance import provenance_group
from partimento.cli.registry import registry_group
from partimento.errors import PartimentoError, RequestError
from partimento.progress import Shown, Stopping, parse_time


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
             invoke_without_command=True)
@click.version_option(__version__, prog_name="partimento")
@click.pass_context
def cli(context: click.Context) -> None:
    """Give it part of a piece, it composes the rest."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# --- learning and looking ----------------------------------------------------------------------------------------


@click.command()
@click.argument("folder", type=click.Path())
@click.option("--model", help="A family, or package.module:Class [the family of --from, else markov].")
@click.option("-o", "--out", default=None, help="Checkpoint to write [the folder's name with .partimento].")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
              help="A setting of the family. May be given again.")
@click.option("--from", "start", metavar="BASE", help="A checkpoint to go on from; its ledger is carried on.")
@click.option("--for", "time", metavar="TIME",
              help="How long to learn, such as 90s, 30m or 1h30m [as the family sees fit].")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 (of several) or mps.")
@click.option("--hear", type=int, metavar="STEPS",
              help="Every so many steps write 8 bars by the model as it stands, into a folder beside the checkpoint.")
@corpus_options
@click.option("--no-index", "index", is_flag=True, default=True, flag_value=False,
              help="Leave out of the checkpoint the index by which copies are found: who has the file can read "
                   "melodies out of it.")
@click.option("--valid-share", type=float, default=0.1, show_default=True,
              help="Share of the pieces kept back to measure on.")
@click.option("--seed", type=int, default=0, show_default=True)
@workers_option
@input_options
@voice_options
@click.pass_context
def train(context: click.Context, /, folder: str, out: str | None, settings: Sequence[str], time: str | None,
          as_json: bool, quiet: bool, **given: Any) -> None:
    """A checkpoint to compose with, learnt from a FOLDER, an archive or one song.

    Ctrl-C stops and saves what was learnt by then (a second one ends at once). A neural family keeps the state of its
    training beside the checkpoint until it is done: the same command goes on from there. torchrun takes it to several
    devices.
    """
    from partimento import training
    from partimento.data.archive import archive_stem

    target = Path(out) if out else Path(f"{archive_stem(Path(folder).resolve().stem)}.partimento")
    budget = parse_time(time, "--for") if time is not None else None
    first = training.is_first_process()
    with Shown(as_json, quiet or not first) as shown, Stopping(shown) as stopping:
        done = training.train(Path(folder), out=target, settings=_settings(settings), budget=budget,
                              report=stopping.report, **given_only(given))
    if not first:
        return
    command = shlex.join(["partimento", *(context.find_root().obj or sys.argv[1:])])
    how = "go on" if training.state_file(target).exists() else "begin again"
    again = f"to {how}: {command}" if done.stopped else ""
    if as_json:
        corpus, likelihood = done.corpus, done.likelihood
        say({"counts": dict(corpus.counts) if corpus else {}, "stopped": done.stopped, "notes": done.notes,
              "likelihood": dataclasses.asdict(likelihood) if likelihood else None, "seconds": done.seconds,
              "sha256": done.hash, **({"command": command} if again else {})}, True, "")
    elif not quiet:
        click.echo("\n".join([*done.summary().split("\n")[:-1], *filter(None, [again])]))
    say_written([target], as_json)
    if stopping.asked:
        context.exit(130)


@click.command()
@click.argument("path", type=click.Path())
@click.option("-o", "--out", metavar="FILE",
              help="Draw a portrait of the piece, or the tables of a model (.svg, .png; tables .html too); with --csv "
                   "write that.")
@click.option("--table", metavar="WORDS", help="Of a model: only tables with these words in their names.")
@click.option("--csv", "as_csv", is_flag=True,
              help="Of a piece: information content and entropy (bits) of every note under --model, a row a note.")
@click.option("--model", help="With --csv: a family or a checkpoint [markov].")
@corpus_options
@input_options
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def inspect(path: str, out: str | None, table: str | None, as_csv: bool, model: str | None, as_json: bool, quiet: bool,
            **given: Any) -> None:
    """What is in a file of music, a folder or an archive of it, or a model: a checkpoint or a family.

    Of a piece: what it says of itself, and what is heard: key, chords, plan, phrases, rhythm, loudness. Of a model:
    what it learnt, as tables: which chord, degree or length follows which, and what hidden states emit.
    """
    from partimento import data, inspecting

    if inspecting.is_model(path):
        if as_csv or model:
            raise RequestError("--csv and --model are of a piece; a model shows tables: name one with --table")
        shown_model = inspecting.model_tables(path, table or "")
        say(shown_model.as_dict(), as_json, shown_model.text(shutil.get_terminal_size((100, 40)).columns))
        if out is not None:
            say_written([shown_model.draw(out)], as_json)
        return
    if table is not None:
        raise RequestError(f"--table is of a model; {path} is none: give a checkpoint or a family")
    same = {name: given[name] for name in ("input_meter", "input_downbeat", "max_notes")}
    if as_csv:
        rows = inspecting.note_rows(path, model=model or "markov", **same)
        if out is not None:
            say_written([rows.write(out)], as_json)
        elif as_json:
            for row in rows.as_dicts():
                say(row, True, "")
        else:
            click.echo(rows.csv(), nl=False)
        if not quiet:
            click.echo(f"that nothing more comes: {rows.ends[0]:.4f} bits, entropy {rows.ends[1]:.4f}", err=True)
        return
    if model is not None:
        raise RequestError("--model says under which model notes are weighed; ask for that with --csv")
    with Shown(as_json, quiet) as shown:
        found = data.inspect(Path(path), progress=shown.report, **given_only(given))
    say(found, as_json, data.format_text(found))
    if out is not None:
        from partimento import output

        say_written([output.draw_portrait(path, out, **same)], as_json)


@click.command()
@click.argument("source", type=click.Path())
@click.option("-o", "--out", required=True, help="File to write; for a folder, the folder to write to.")
@click.option("--format", "make", type=click.Choice(["mid", "musicxml", "mxl", "abc"]), default="mid",
              show_default=True, help="What the files in a folder become.")
@click.option("--tempo", type=float, help="Another tempo for the whole piece, in quarter notes a minute.")
@workers_option
@input_options
@voice_options
def convert(source: str, out: str, make: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """SOURCE (a file or a folder) as another kind of file.

    MIDI, MusicXML (.musicxml, .mxl), ABC, kern and MuseScore files are read; the suffix of the file to write says
    what it becomes (.mid, .musicxml, .mxl, .abc ...). A tune of a book of tunes is book.abc#12.
    """
    from partimento import conversion

    many = Path(source).is_dir() or not Path(out).suffix
    with Shown(as_json, quiet or not (many and sys.stderr.isatty())) as shown:
        done = conversion.convert(source, out, format=make, report=shown.report, **given)
    for sentence in done.skipped:
        click.echo(f"skipped {sentence}", err=True)
    if not quiet and Path(source).is_dir():
        say({"converted": len(done.written), "skipped": done.skipped}, as_json,
             f"{len(done.written)} converted, {len(done.skipped)} skipped")
    say_written(done.written, as_json)


@click.command()
@click.argument("song", type=click.Path())
@click.option("-o", "--out", default=".", show_default=True, help="File (.pdf .wav .roll.png .html ...) or folder.")
@click.option("--format", "makes", default="wav,roll.png", show_default=True,
              help="What to write into a folder, with commas between.")
@click.option("--soundfont", help="SoundFont (.sf2) to play with [the best found].")
@click.option("--loop", is_flag=True, help="Sound of the exact length of the piece, its tail folded into its head.")
@paper_option
@input_options
@voice_options
def render(song: str, out: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """SONG as sound, as an engraved page, as a piano roll, or as a page that plays.

    Sound is wav, flac, ogg, mp3; engraved pages are pdf, svg, png; rolls are roll.png, roll.svg.
    """
    from partimento import output

    say_written(output.render(song, out, **given), as_json)


@click.command()
@click.option("--controls", "show_controls", is_flag=True, help="The controls that --target can aim at.")
@click.option("--rules", "show_rules", is_flag=True, help="The rules of performance that humanize --rule can change.")
@json_option
def models(show_controls: bool, show_rules: bool, as_json: bool) -> None:
    """The families of models, and the checkpoints that come with them."""
    from partimento import about

    for row in about.controls() if show_controls else about.rules() if show_rules else about.models():
        say(row, as_json, about.line(row))


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """What is here, what is missing, and the command that mends it."""
    from partimento import about

    for row in about.doctor():
        say(row, as_json, about.line(row))


for _command in (compose, continue_, infill, harmonize, accompany, vary, humanize, replay, demo, train, inspect,
                 convert, render, evaluate, explain_notes, data_group, originality, registry_group,
                 provenance_group, forget_piece, models, doctor):
    cli.add_command(_command)


# --- the parts ---------------------------------------------------------------------------------------------------


def _settings(items: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE with the value read as JSON where it is (3, 0.5, true, ["a"]), else as words."""
    found: dict[str, Any] = {}
    for name, value in named_values(items, "--set").items():
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 (an error said in a line), 2 (wrong usage), 130 (Ctrl-C)."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        code = cli.main(args=words, prog_name="partimento", standalone_mode=False, obj=words)
    except click.ClickException as error:
        hint = f" (see {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        click.echo(f"partimento: {' '.join(error.format_message().split())}{hint}", err=True)
        return error.exit_code
    except click.Abort:
        click.echo("partimento: stopped", err=True)
        return 130
    except PartimentoError as error:
        click.echo(f"partimento: {error}", err=True)
        return 1
    except MemoryError:
        click.echo("partimento: there must be memory enough for this; there was not: ask for less, or use --max-notes",
                   err=True)
        return 1
    except OSError as error:
        click.echo(f"partimento: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        return 1
    return code if isinstance(code, int) else 0


def entry() -> None:
    """What the installed command runs."""
    sys.exit(main())
