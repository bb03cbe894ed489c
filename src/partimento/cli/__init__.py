"""The command line: every verb through one Request, one spelling of every option, the written path as the last line."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from partimento import __version__
from partimento.cli.data import data_group
from partimento.cli.judge import evaluate
from partimento.cli.parts import (
    add_options,
    corpus_options,
    given_only,
    json_option,
    say,
    say_written,
    voice_options,
)
from partimento.errors import PartimentoError, RequestError
from partimento.progress import Shown, Stopping, parse_time

_SIGN = {True: "+", False: "!", None: "·"}

_paper = click.option("--paper", type=click.Choice(["A4", "letter"]), default="A4", show_default=True,
                      help="Paper of engraved pages.")
_out = add_options(
    click.option("-o", "--out", default=".", show_default=True,
                 help="Folder to write to, or the file; for a new folder with a dot in its name end it in /."),
    click.option("--format", "makes",
                 help="What to write, with commas between: mid, musicxml, mxl, abc; wav, flac, ogg, mp3; pdf, svg, "
                      "png (engraved); roll.png, roll.svg; html (a page with sound) [mid,html into a folder]."),
    click.option("--soundfont", help="SoundFont (.sf2) to play with [the best found; partimento doctor names it]."),
    _paper,
)
_draw = add_options(
    click.option("-n", "--count", type=int, default=1, show_default=True, help="How many candidates to compose."),
    click.option("--seed", type=int, help="The same seed gives the same bytes [a new one, which is printed]."),
    click.option("--model", default="markov", show_default=True,
                 help="A family (partimento models lists them), a checkpoint file, or package.module:Class."),
    click.option("--temperature", type=float, help="Above 1 wilder, below 1 safer [what suits the family]."),
    click.option("--top-p", type=float,
                 help="Draw only from the likeliest choices that together hold this share, up to 1 [what suits the "
                      "family]."),
    click.option("--tries", type=int, help="Attempts at each piece, of which the best is kept [24 with --target, "
                                           "else 1]."),
    click.option("--stream", is_flag=True,
                 help="Print each bar as it is made. The first attempt stands: no ranking, no retries."),
)
_facts = add_options(
    click.option("--key", help='Key, such as "E minor" or Bb.'),
    click.option("--chords", help='Chord symbols, one a bar, begun again at their end: "Am F C G". With | to end '
                                  'bars, several a bar: "Am F | C".'),
    click.option("--range", "ranges", multiple=True, metavar="TRACK=LOW-HIGH",
                 help="Lowest and highest pitch of a track, such as violin=G3-E6. May be given again."),
    click.option("--target", "targets", multiple=True, metavar="NAME=VALUE",
                 help="A measure to aim at, such as density=6, or piano.density=6 for one track. May be given again; "
                      "partimento models --controls lists them."),
)
_frame = add_options(
    click.option("--meter", help="Meter, such as 3/4."),
    click.option("--tempo", type=float, help="Tempo in quarter notes a minute."),
)


def _downbeat(context: click.Context, option: click.Parameter, value: str | None) -> float | str | None:
    from partimento.formats import parse_downbeat

    return parse_downbeat(value)


_input = add_options(
    click.option("--input-meter", metavar="METER|auto",
                 help="Read the bars of the input in this meter, such as 4/4 (auto: every bar found); no note moves."),
    click.option("--input-downbeat", metavar="QUARTERS|auto", callback=_downbeat,
                 help="Where a first beat of the input is, in quarter notes from its start, or auto: found from the "
                      "notes of each file; no note moves."),
    click.option("--max-notes", type=int, default=5_000_000, show_default=True, help="Refuse files of more notes."),
)
_wish = add_options(_facts, _input, _draw, _out, voice_options)
_opening = click.option("--open", default="all", show_default=True,
                        help="What to write anew: all, or pitch (the rhythm stays).")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
             invoke_without_command=True)
@click.version_option(__version__, prog_name="partimento")
@click.pass_context
def cli(context: click.Context) -> None:
    """Give it part of a piece, it composes the rest."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# --- composing ---------------------------------------------------------------------------------------------------


@cli.command()
@click.option("--bars", type=int, help="How many bars to make [16].")
@click.option("--tracks", default="", help="Instruments, such as piano,bass,drums [what the model learnt, or piano].")
@click.option("--loop", is_flag=True, help="A seamless loop: exact length, the tail folds into the head.")
@_frame
@_facts
@_draw
@_out
@voice_options
def compose(**given: Any) -> None:
    """A new piece out of nothing but what you ask."""
    _verb("compose", given)


@cli.command(name="continue")
@click.argument("song", type=click.Path())
@click.option("--bars", type=int, help="How many bars to add [8].")
@click.option("--tracks", default="", help="Only these tracks go on [all].")
@_frame
@_wish
def continue_(**given: Any) -> None:
    """SONG and more of it; a part-given_only last bar is completed first."""
    _verb("continue_", given)


@cli.command()
@click.argument("song", type=click.Path())
@click.option("--bars", required=True, help="Where to write: 5-8, or 5.3-8 from beat 3 of bar 5 (a pick-up is bar 0).")
@click.option("--tracks", default="", help="Only in these tracks, by name or number [all].")
@_opening
@_wish
def infill(**given: Any) -> None:
    """Some bars of SONG written anew; all else comes back identical."""
    _verb("infill", given)


@cli.command()
@click.argument("song", type=click.Path())
@click.option("--tracks", default="",
              help="Tracks to add, such as piano or alto,tenor,bass [what the model learnt, or piano].")
@_wish
def harmonize(**given: Any) -> None:
    """SONG (a melody, say) with other tracks composed to it."""
    _verb("harmonize", given)


@cli.command()
@click.argument("song", type=click.Path())
@click.option("--strength", type=float, default=0.5, show_default=True,
              help="Share of the notes that are let go, 0 to 1; 0 is SONG itself.")
@click.option("--tracks", default="", help="Only in these tracks, by name or number [all].")
@_opening
@_wish
def vary(**given: Any) -> None:
    """SONG varied: a share of its notes is let go and written anew."""
    _verb("vary", given)


@cli.command()
@click.argument("piece", type=click.Path())
@click.option("--model", help="The checkpoint that made it, where it is a file of yours.")
@_out
@voice_options
def replay(piece: str, model: str | None, out: str, makes: str | None, soundfont: str | None, paper: str,
           as_json: bool, quiet: bool) -> None:
    """PIECE again from the settings inside it, and if it is the same."""
    from partimento import output, verbs

    result = verbs.replay(piece, model=model)
    same = output.compare(piece, result)
    paths = output.write([result], out, makes=_makes(makes, out), soundfont=soundfont, paper=paper)
    if not quiet:
        say({"replayed": piece, "same": same, "platform": result.platform}, as_json, f"{piece}: {same}")
    say_written(paths, as_json)
    if same == output.OTHER_NOTES:
        raise RequestError(f"{piece}: a replay must give the same notes; on {result.platform} it gave others "
                           "(another version, or the file was edited)")


@cli.command()
@click.option("-o", "--out", default="demo", show_default=True, help="Folder to write to.")
@click.option("--seed", type=int, default=7, show_default=True)
@voice_options
def demo(out: str, seed: int, as_json: bool, quiet: bool) -> None:
    """A piece by the bundled model: MIDI, sound, picture and page."""
    from partimento import output, verbs

    learnt = verbs.compose(bars=16, meter="3/4", key="G major", tempo=112, tracks="flute,piano", seed=seed, count=1)
    chance = verbs.compose(model="random", bars=8, meter="3/4", key="G major", tempo=112, tracks="flute,piano",
                           seed=seed)
    paths = output.write(learnt, out, makes=("mid", "musicxml", "wav", "roll.png"))
    page = output.write([*learnt, *chance], out, makes=("html",))
    _report(learnt, as_json, quiet)
    if not (quiet or as_json):
        click.echo("the page also holds a piece of the random family: what no learning sounds like")
    say_written([*page, *paths], as_json)


# --- learning and looking ----------------------------------------------------------------------------------------


@cli.command()
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
@click.option("--valid-share", type=float, default=0.1, show_default=True,
              help="Share of the pieces kept back to measure on.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--workers", type=int, help="Processes that read [one a core].")
@_input
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


@cli.command()
@click.argument("path", type=click.Path())
@click.option("-o", "--out", metavar="PICTURE", help="Draw a portrait of the piece too (.svg, .png).")
@corpus_options
@_input
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
def inspect(path: str, out: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    """What is in a file of music, a folder or an archive of it, or a checkpoint.

    Of a piece: what it says of itself, and what is heard: key, chords, plan, phrases, rhythm, loudness.
    """
    from partimento import checkpoint, data

    if Path(path).suffix == checkpoint.SUFFIX:
        found = checkpoint.about_checkpoint(path)
        say(found, as_json, checkpoint.about_text(found))
        return
    with Shown(as_json, quiet) as shown:
        found = data.inspect(Path(path), progress=shown.report, **given_only(given))
    say(found, as_json, data.format_text(found))
    if out is not None:
        from partimento import output

        same = {name: given[name] for name in ("input_meter", "input_downbeat", "max_notes")}
        say_written([output.draw_portrait(path, out, **same)], as_json)


@cli.command()
@click.argument("source", type=click.Path())
@click.option("-o", "--out", required=True, help="File to write; for a folder, the folder to write to.")
@click.option("--format", "make", type=click.Choice(["mid", "musicxml", "mxl", "abc"]), default="mid",
              show_default=True, help="What the files in a folder become.")
@click.option("--tempo", type=float, help="Another tempo for the whole piece, in quarter notes a minute.")
@click.option("--workers", type=int, help="Processes that convert [one a core].")
@_input
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


@cli.command()
@click.argument("song", type=click.Path())
@click.option("-o", "--out", default=".", show_default=True, help="File (.pdf .wav .roll.png .html ...) or folder.")
@click.option("--format", "makes", default="wav,roll.png", show_default=True,
              help="What to write into a folder, with commas between.")
@click.option("--soundfont", help="SoundFont (.sf2) to play with [the best found].")
@click.option("--loop", is_flag=True, help="Sound of the exact length of the piece, its tail folded into its head.")
@_paper
@_input
@voice_options
def render(song: str, out: str, as_json: bool, quiet: bool, **given: Any) -> None:
    """SONG as sound, as an engraved page, as a piano roll, or as a page that plays.

    Sound is wav, flac, ogg, mp3; engraved pages are pdf, svg, png; rolls are roll.png, roll.svg.
    """
    from partimento import output

    say_written(output.render(song, out, **given), as_json)


@cli.command()
@click.option("--controls", "show_controls", is_flag=True, help="The controls that --target can aim at.")
@json_option
def models(show_controls: bool, as_json: bool) -> None:
    """The families of models, and the checkpoints that come with them."""
    from partimento import about

    for row in about.controls() if show_controls else about.models():
        say(row, as_json, about.line(row))


@cli.command()
@json_option
def doctor(as_json: bool) -> None:
    """What is here, what is missing, and the command that mends it."""
    from partimento import about

    for row in about.doctor():
        say(row, as_json, about.line(row))


cli.add_command(data_group)
cli.add_command(evaluate)


# --- the parts ---------------------------------------------------------------------------------------------------


def _verb(name: str, given: dict[str, Any]) -> None:
    from partimento import output, verbs

    out, look = given.pop("out"), {key: given.pop(key) for key in ("soundfont", "paper")}
    makes = _makes(given.pop("makes"), out)
    as_json, quiet = given.pop("as_json"), given.pop("quiet")
    ranges, targets = _pairs(given.pop("ranges"), "--range"), _pairs(given.pop("targets"), "--target")
    music = (given.pop("song"),) if "song" in given else ()
    aims = {k: _number(k, v) for k, v in targets.items()}
    if given.pop("stream"):
        results = _streamed(name, music, given | {"ranges": ranges, "targets": aims}, as_json, quiet)
    else:
        results = getattr(verbs, name)(*music, ranges=ranges, targets=aims, **given)
    paths = output.write(results, out, makes=makes, name=Path(music[0]).stem if music else "", **look)
    _report(results, as_json, quiet)
    say_written(paths, as_json)


def _streamed(name: str, music: Sequence[str], given: dict[str, Any], as_json: bool, quiet: bool) -> list[Any]:
    """The Results of the candidates one after another, a line printed for each bar as it is made."""
    from partimento import theory, verbs

    if given.pop("tries") is not None:
        raise RequestError("--tries must be left out with --stream: the first attempt stands as it comes")
    results = []
    for index in range(given.pop("count")):
        bars = verbs.stream(*music, verb=name, index=index, **given)
        given["seed"] = bars.request.seed
        for number, bar in zip(bars.numbers, bars, strict=True):
            parts = [(track.name, [theory.pitch_name(int(p)) for p in bar.pitch[bar.track == i]])
                     for i, track in enumerate(bar.tracks)]
            said = "; ".join(f"{part} {' '.join(pitches)}" for part, pitches in parts if pitches)
            if not quiet:
                say({"candidate": index + 1, "bar": number, "notes": len(bar), "pitches": dict(parts)}, as_json,
                     f"bar {number}: {said or 'rests'}")
        results.append(bars.finish())
    return results


def _report(results: Sequence[Any], as_json: bool, quiet: bool) -> None:
    if quiet:
        return
    for result in results:
        rows = [row._asdict() for row in result.rows]
        words = [f"candidate {result.request.index + 1} of seed {result.request.seed}: {len(result.score)} notes, "
                 f"{int(result.new.sum())} new, {result.score.n_bars} bars"]
        words += [f"  {_SIGN[row.met]} {row.name}: asked {row.asked}, got {row.got}" for row in result.rows]
        words += [f"  {note}" for note in result.notes]
        say({"seed": result.request.seed, "candidate": result.request.index + 1, "notes": len(result.score),
              "new": int(result.new.sum()), "bars": result.score.n_bars, "rows": rows, "told": list(result.notes),
              "retries": result.retries, "moved": result.moved}, as_json, "\n".join(words))


def _makes(makes: str | None, out: str) -> list[str]:
    """The formats to write: those said, or MIDI and a page into a folder, or what the file name says alone."""
    from partimento import output

    if makes is not None:
        return output.makes_of(makes)
    return [] if output.format_of(out) else ["mid", "html"]


def _pairs(items: Sequence[str], option: str) -> dict[str, str]:
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise RequestError(f"{option} must be NAME=VALUE; got {item!r}")
        if name.strip() in found:
            raise RequestError(f"{option} must say a name once; {name.strip()!r} is said twice")
        found[name.strip()] = value.strip()
    return found


def _settings(items: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE with the value read as JSON where it is (3, 0.5, true, ["a"]), else as words."""
    found: dict[str, Any] = {}
    for name, value in _pairs(items, "--set").items():
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise RequestError(f"the target {name} must be a number; got {value!r}") from None


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
