"""The commands that compose: every verb through one Request, and what is said of the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from partimento.cli.parts import (
    add_options,
    input_options,
    named_values,
    paper_option,
    say,
    say_written,
    voice_options,
)
from partimento.errors import RequestError

_SIGN = {True: "+", False: "!", None: "·"}

_out = add_options(
    click.option("-o", "--out", default=".", show_default=True,
                 help="Folder to write to, or the file; for a new folder with a dot in its name end it in /."),
    click.option("--format", "makes",
                 help="What to write, with commas between: mid, musicxml, mxl, abc; wav, flac, ogg, mp3; pdf, svg, "
                      "png (engraved); roll.png, roll.svg; html (a page with sound) [mid,html into a folder]."),
    click.option("--soundfont", help="SoundFont (.sf2) to play with [the best found; partimento doctor names it]."),
    paper_option,
    click.option("--no-provenance", "provenance", is_flag=True, default=True, flag_value=False,
                 help="Write no record of how it was made beside the piece."),
    click.option("--provenance-inside", "inside", is_flag=True,
                 help="Put the record into MIDI and MusicXML files too."),
    click.option("--sign", "sign_with", metavar="KEY",
                 help="Sign the record with your private key (partimento provenance key makes one)."),
)
_registry = click.option("--registry", "registries", multiple=True, metavar="FILE",
                         help="A registry of music that may not be used: nothing that matches it is written. May be "
                              "given again.")
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
    click.option("--originality", type=click.Choice(["strict", "normal", "off"]), default="normal", show_default=True,
                 help="Write anew what borrows too much from the music that taught the model."),
    _registry,
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


_wish = add_options(_facts, input_options, _draw, _out, voice_options)
_opening = click.option("--open", default="all", show_default=True,
                        help="What to write anew: all, or pitch (the rhythm stays).")




@click.command()
@click.option("--bars", type=int, help="How many bars to make [as the form says, or 16].")
@click.option("--form", help='Sections by letter and bars: "A8 A8 B8 A8", or AABA. A letter that comes again returns, '
                             "with a prime (A'8) varied.")
@click.option("--style", help="A style that the family knows, such as bossa of --model rules (partimento models lists "
                              "them).")
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


@click.command(name="continue")
@click.argument("song", type=click.Path())
@click.option("--bars", type=int, help="How many bars to add [8].")
@click.option("--tracks", default="", help="Only these tracks go on [all].")
@_frame
@_wish
def continue_(**given: Any) -> None:
    """SONG and more of it; a part-filled last bar is completed first."""
    _verb("continue_", given)


@click.command()
@click.argument("song", type=click.Path())
@click.option("--bars", required=True, help="Where to write: 5-8, or 5.3-8 from beat 3 of bar 5 (a pick-up is bar 0).")
@click.option("--tracks", default="", help="Only in these tracks, by name or number [all].")
@_opening
@_wish
def infill(**given: Any) -> None:
    """Some bars of SONG written anew; all else comes back identical."""
    _verb("infill", given)


@click.command()
@click.argument("song", type=click.Path())
@click.option("--tracks", default="",
              help="Tracks to add, such as piano or alto,tenor,bass [what the model learnt, or piano].")
@click.option("--species", type=int,
              help="Add one line in species counterpoint, 1 to 4, above or below SONG by its range (--model rules).")
@_wish
def harmonize(**given: Any) -> None:
    """SONG (a melody, say) with other tracks composed to it."""
    _verb("harmonize", given)


@click.command()
@click.argument("song", type=click.Path())
@click.option("--tracks", default="",
              help="Parts to add, such as guitar,bass [piano, bass and drums, as far as SONG has none].")
@_wish
def accompany(**given: Any) -> None:
    """SONG, every note of it, with a band that plays along."""
    _verb("accompany", given)


@click.command()
@click.argument("song", type=click.Path())
@click.option("--strength", type=float, default=0.5, show_default=True,
              help="Share of the notes that are let go, 0 to 1; 0 is SONG itself.")
@click.option("--tracks", default="", help="Only in these tracks, by name or number [all].")
@_opening
@_wish
def vary(**given: Any) -> None:
    """SONG varied: a share of its notes is let go and written anew."""
    _verb("vary", given)


@click.command()
@click.argument("song", type=click.Path())
@click.option("--strength", type=float, default=0.7, show_default=True,
              help="How much is done, 0 to 1; 0 is SONG itself.")
@click.option("--bars", help="Only there: 5-8, or 5.3-8 from beat 3 of bar 5 (a pick-up is bar 0) [all].")
@click.option("--tracks", default="", help="Only in these tracks, by name or number [all].")
@click.option("--swing", metavar="RATIO",
              help="How long the first half of a beat is beside the second: 2 is 2 to 1, auto as the tempo suggests.")
@click.option("--rule", "quantities", multiple=True, metavar="NAME=QUANTITY",
              help="How much of one rule, such as phrase_tempo=0 or high_loud=1.5. May be given again; partimento "
                   "models --rules lists them.")
@click.option("-n", "--count", type=int, default=1, show_default=True, help="How many performances.")
@click.option("--seed", type=int, help="The same seed gives the same bytes [a new one, which is printed].")
@input_options
@_out
@voice_options
def humanize(song: str, as_json: bool, quiet: bool, quantities: Sequence[str], **given: Any) -> None:
    """SONG as a player would play it: loudness, small shifts in time and a tempo curve, by rules; every note stays."""
    from partimento import output, verbs

    out, makes, look = _look(given)
    rules = {name: _number(value, f"the rule {name}") for name, value in named_values(quantities, "--rule").items()}
    results = verbs.humanize(song, rules=rules, **given)
    paths = output.write(results, out, makes=makes, name=Path(song).stem, **look)
    _report(results, as_json, quiet, "performed")
    say_written(paths, as_json)


@click.command()
@click.argument("piece", type=click.Path())
@click.option("--model", help="The checkpoint that made it, where it is a file of yours.")
@_registry
@_out
@voice_options
def replay(piece: str, model: str | None, registries: Sequence[str], as_json: bool, quiet: bool, **given: Any) -> None:
    """PIECE again from the settings inside it, or in its record (PIECE.provenance.json), and if it is the same."""
    from partimento import output, verbs

    out, makes, look = _look(given)
    result = verbs.replay(piece, model=model, registries=registries)
    same = output.compare(piece, result)
    paths = output.write([result], out, makes=makes, **look)
    if not quiet:
        say({"replayed": piece, "same": same, "platform": result.platform}, as_json, f"{piece}: {same}")
    say_written(paths, as_json)
    if same == output.OTHER_NOTES:
        raise RequestError(f"{piece}: a replay must give the same notes; on {result.platform} it gave others "
                           "(another version, or the file was edited)")


@click.command()
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


def _verb(name: str, given: dict[str, Any]) -> None:
    from partimento import output, verbs

    out, makes, look = _look(given)
    as_json, quiet = given.pop("as_json"), given.pop("quiet")
    ranges, targets = named_values(given.pop("ranges"), "--range"), named_values(given.pop("targets"), "--target")
    music = (given.pop("song"),) if "song" in given else ()
    aims = {k: _number(v, f"the target {k}") for k, v in targets.items()}
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


def _report(results: Sequence[Any], as_json: bool, quiet: bool, made: str = "new") -> None:
    if quiet:
        return
    for result in results:
        rows = [row._asdict() for row in result.rows]
        words = [f"candidate {result.request.index + 1} of seed {result.request.seed}: {len(result.score)} notes, "
                 f"{int(result.new.sum())} {made}, {result.score.n_bars} bars"]
        words += [f"  {_SIGN[row.met]} {row.name}: asked {row.asked}, got {row.got}" for row in result.rows]
        words += [f"  {note}" for note in result.notes]
        say({"seed": result.request.seed, "candidate": result.request.index + 1, "notes": len(result.score),
              made: int(result.new.sum()), "bars": result.score.n_bars, "rows": rows, "told": list(result.notes),
              "retries": result.retries, "moved": result.moved}, as_json, "\n".join(words))


def _look(given: dict[str, Any]) -> tuple[str, list[str], dict[str, Any]]:
    """Where to write, what, and how, taken out of what was given; the password of a locked key is asked for."""
    out, key = given.pop("out"), given.pop("sign_with")
    look = {name: given.pop(name) for name in ("soundfont", "paper", "provenance", "inside")}
    if key is not None:
        from partimento.provenance import is_locked

        word = click.prompt("Password", hide_input=True, err=True) if is_locked(key) else None
        look |= {"key": key, "password": word}
    return out, _makes(given.pop("makes"), out), look


def _makes(makes: str | None, out: str) -> list[str]:
    """The formats to write: those said, or MIDI and a page into a folder, or what the file name says alone."""
    from partimento import output

    if makes is not None:
        return output.makes_of(makes)
    return [] if output.format_of(out) else ["mid", "html"]


def _number(value: str, what: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise RequestError(f"{what} must be a number; got {value!r}") from None
