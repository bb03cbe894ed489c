"""The verbs as functions: the same names and arguments as the command line, music in and Results out.

`music` is a Score or a file. Facts: `meter` (``3/4``), `tempo` (quarter notes a minute), `key` (``E minor``),
`tracks` (names, in a list or with commas between), `chords` (``Am F C G``, one a bar), `ranges`
(``{"violin": "G3-E6"}``). Aims: `targets` (``{"density": 6}``; see ``partimento.controls.CONTROLS``), of `tries`
attempts the nearest. `model` is as in `choose_model`; `seed` is drawn where None; `count` is how many candidates to
compose; `input_meter` and `input_downbeat` (quarter notes or ``auto``) re-bar the music as in
``partimento.formats.rebar``. RequestError where a wish cannot be met, ModelError where the model cannot do it,
ReadError where the music cannot be read.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partimento import checkpoint, formats, generate, theory
from partimento.errors import PartimentoError, RequestError, WriteError
from partimento.formats.files import make_folder, read_bytes
from partimento.models.base import FAMILIES, Model, Progress, Report, family
from partimento.render import audio, page, roll
from partimento.request import Request, Result
from partimento.score import BoolArray, Score, Tempo

Music = Score | str | os.PathLike[str]
SAME_BYTES, SAME_NOTES, OTHER_NOTES = "the same bytes", "the same notes, other bytes", "OTHER NOTES"
MAKES = ("mid", "wav", "flac", "ogg", "mp3", "png", "svg", "html")


class Chosen(NamedTuple):
    """A model ready to play, the name to show, and the sha256 of its checkpoint (None for a family without one)."""

    model: Model
    name: str
    hash: str | None


def choose_model(model: Model | str | os.PathLike[str] = "markov") -> Chosen:
    """The model that is meant: a fitted one, a checkpoint file, a family (its bundled checkpoint), or your own class.

    >>> choose_model("random").model.family
    'random'
    """
    if isinstance(model, Model):
        return Chosen(model, model.family, None)
    name = os.fspath(model)
    if name not in FAMILIES and (name.endswith(".partimento") or Path(name).exists()):
        loaded = checkpoint.load(Path(name))
        return Chosen(loaded.model, Path(name).name, loaded.hash)
    kind = family(name)
    if not kind.learns:
        return Chosen(kind(), name, None)
    loaded = checkpoint.load(checkpoint.bundled(name))
    return Chosen(loaded.model, name, loaded.hash)


def compose(*, model: Model | str = "markov", bars: int | None = None, meter: str | None = None,
            tempo: float | None = None, key: str | None = None, tracks: str | Sequence[str] = (),
            chords: str | None = None, ranges: Mapping[str, str] | None = None,
            targets: Mapping[str, float] | None = None, loop: bool = False, temperature: float | None = None,
            top_p: float | None = None, tries: int | None = None, seed: int | None = None,
            count: int = 1) -> list[Result]:
    """New pieces out of nothing but what is asked; what is left open is filled in the style learnt.

    >>> [r.score.n_bars for r in compose(model="random", bars=4, meter="3/4", seed=1, count=2)]
    [4, 4]
    """
    request = Request(verb="compose", bars=bars, meter=meter, tempo=tempo, key=key, tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, loop=loop, temperature=temperature,
                      top_p=top_p, tries=tries, seed=_seed(seed))
    return _run(request, model, None, count)


def continue_(music: Music, *, model: Model | str = "markov", bars: int | None = None, meter: str | None = None,
              tempo: float | None = None, key: str | None = None, tracks: str | Sequence[str] = (),
              chords: str | None = None, ranges: Mapping[str, str] | None = None,
              targets: Mapping[str, float] | None = None, temperature: float | None = None, top_p: float | None = None,
              tries: int | None = None, seed: int | None = None, count: int = 1, input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with `bars` more bars; a part-filled last bar is completed first. `tracks`: only these go on.

    >>> song = compose(model="random", bars=4, seed=1)[0].score
    >>> continue_(song, model="random", bars=2, seed=1)[0].score.n_bars
    6
    """
    request = Request(verb="continue", bars=bars, meter=meter, tempo=tempo, key=key, tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, temperature=temperature,
                      top_p=top_p, tries=tries, seed=_seed(seed))
    return _run(request, model, load(music, input_meter, input_downbeat, max_notes), count)


def infill(music: Music, *, bars: str, model: Model | str = "markov", tracks: str | Sequence[str] = (),
           open: str = "all", key: str | None = None, chords: str | None = None,
           ranges: Mapping[str, str] | None = None, targets: Mapping[str, float] | None = None,
           temperature: float | None = None, top_p: float | None = None, tries: int | None = None,
           seed: int | None = None, count: int = 1, input_meter: str | None = None,
           input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with the place `bars` (``5-8``, ``5.3-8``) written anew in `tracks`; open ``pitch``: rhythm stays.

    >>> song = compose(model="random", bars=4, seed=1)[0].score
    >>> piece = infill(song, bars="2-3", model="random", seed=1)[0]
    >>> sorted({piece.score.bar_number(tick) for tick in piece.score.onset[piece.new].tolist()})
    [2, 3]
    """
    request = Request(verb="infill", place=bars, tracks=_names(tracks), open=open, key=key, chords=chords,
                      ranges=ranges or {}, targets=targets or {}, temperature=temperature, top_p=top_p,
                      tries=tries, seed=_seed(seed))
    return _run(request, model, load(music, input_meter, input_downbeat, max_notes), count)


def harmonize(music: Music, *, model: Model | str = "markov", tracks: str | Sequence[str] = (),
              key: str | None = None, chords: str | None = None, ranges: Mapping[str, str] | None = None,
              targets: Mapping[str, float] | None = None, temperature: float | None = None, top_p: float | None = None,
              tries: int | None = None, seed: int | None = None, count: int = 1, input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The melody with `tracks` added to it (a track that is there already is written anew).

    >>> song = compose(model="random", bars=2, tracks="flute", seed=1)[0].score
    >>> [track.name for track in harmonize(song, tracks="piano,bass", model="random", seed=1)[0].score.tracks]
    ['flute', 'piano', 'bass']
    """
    request = Request(verb="harmonize", tracks=_names(tracks), key=key, chords=chords, ranges=ranges or {},
                      targets=targets or {}, temperature=temperature, top_p=top_p, tries=tries, seed=_seed(seed))
    return _run(request, model, load(music, input_meter, input_downbeat, max_notes), count)


def vary(music: Music, *, strength: float = 0.5, model: Model | str = "markov", tracks: str | Sequence[str] = (),
         open: str = "all", key: str | None = None, chords: str | None = None,
         ranges: Mapping[str, str] | None = None, targets: Mapping[str, float] | None = None,
         temperature: float | None = None, top_p: float | None = None, tries: int | None = None,
         seed: int | None = None, count: int = 1, input_meter: str | None = None,
         input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with a share `strength` (0–1) of its notes let go and written anew; 0 is the input.

    >>> song = compose(model="random", bars=2, seed=1)[0].score
    >>> vary(song, strength=0, model="random", seed=1)[0].score == song
    True
    """
    request = Request(verb="vary", strength=strength, tracks=_names(tracks), open=open, key=key, chords=chords,
                      ranges=ranges or {}, targets=targets or {}, temperature=temperature, top_p=top_p,
                      tries=tries, seed=_seed(seed))
    return _run(request, model, load(music, input_meter, input_downbeat, max_notes), count)


def stream(music: Music | None = None, *, verb: str = "compose", model: Model | str = "markov",
           bars: int | str | None = None, meter: str | None = None, tempo: float | None = None, key: str | None = None,
           tracks: str | Sequence[str] = (), chords: str | None = None, ranges: Mapping[str, str] | None = None,
           targets: Mapping[str, float] | None = None, open: str = "all", strength: float | None = None,
           loop: bool = False, temperature: float | None = None, top_p: float | None = None, seed: int | None = None,
           index: int = 0, input_meter: str | None = None, input_downbeat: float | str | None = None,
           max_notes: int = formats.DEFAULT_MAX_NOTES) -> generate.Streaming:
    """The bars of a new piece one by one as they are made, then its Result: any verb, with the arguments it takes.

    Each bar is a Score: the frame of the piece with the notes of that bar, kept and new. What is out stays, so nothing
    is ranked and nothing made again; `targets` are only measured. `index` is which candidate of the seed.

    >>> bars = stream(model="random", bars=4, seed=1)
    >>> [bars.numbers, sum(len(bar) for bar in bars) == len(bars.result.score)]
    [(1, 2, 3, 4), True]
    """
    place = verb == "infill" and bars is not None
    wish: dict[str, Any] = {"place": str(bars)} if place else {"bars": bars}
    request = Request(verb=verb.rstrip("_"), **wish, meter=meter, tempo=tempo, key=key, tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, open=open, strength=strength,
                      loop=loop, temperature=temperature, top_p=top_p, seed=_seed(seed), index=index)
    chosen = choose_model(model)
    source = None if music is None else load(music, input_meter, input_downbeat, max_notes)
    return generate.stream(request.replace(model=chosen.name, model_hash=chosen.hash), chosen.model, source=source)


def replay(music: Music, *, model: Model | str | None = None) -> Result:
    """The piece again from the settings inside the file; `model` where its checkpoint is a file of yours.

    RequestError where the file carries no settings, or the model is not the one that made it. `compare` says whether
    it came out the same.
    """
    request = generate.stamp_of(load(music))
    chosen = choose_model(model or _named_model(request))
    if chosen.hash != request.model_hash:
        raise RequestError(f"this piece was made by the checkpoint {request.model} with sha256 "
                           f"{str(request.model_hash)[:12]}…; {chosen.name} is {str(chosen.hash)[:12]}…: give the "
                           "right one with --model")
    return generate.remake(request, chosen.model)


def load(music: Music, input_meter: str | None = None, input_downbeat: float | str | None = None,
         max_notes: int = formats.DEFAULT_MAX_NOTES) -> Score:
    """A Score, or the music of a file, re-barred when its bars are not what the file says."""
    score = music if isinstance(music, Score) else formats.read(Path(music), max_notes=max_notes)
    if input_meter is None and input_downbeat is None:
        return score
    return formats.rebar(score, theory.parse_meter(input_meter) if input_meter else None, input_downbeat)


def write(results: Sequence[Result], out: str | os.PathLike[str] = ".", *, makes: str | Sequence[str] = (),
          soundfont: str | None = None, name: str = "") -> list[Path]:
    """The files written, in order: every Result in every format of `makes`, and one page for all (``html``).

    `out` is a folder (names say what is inside, and begin with `name`, that of the input say), or a file name for
    a single piece, which adds its own format. Without `makes` that format alone is written, or MIDI. MIDI comes
    first, so that a sound or a picture that fails leaves it in place.
    """
    target, own = Path(out), format_of(out)
    ordered = sorted({*makes_of(makes), *([own] if own else [])} or {"mid"}, key=MAKES.index)
    folder, stems = _stems(results, target, own, name)
    make_folder(folder)
    endings = {own: target.suffix} if own else {}
    written: list[Path] = []
    for make in ordered:
        if make != "html":
            written += [_write_one(result, folder / f"{stem}{endings.get(make, f'.{make}')}", make, soundfont)
                        for result, stem in zip(results, stems, strict=True)]
    if "html" in ordered:
        where = folder / (f"{target.stem}{endings.get('html', '.html')}" if own else "index.html")
        panels = [_panel(result, stem, soundfont) for result, stem in zip(results, stems, strict=True)]
        page.write_page(panels, where, title=f"partimento: {results[0].request.verb}", settings=_settings(results[0]))
        written.append(where)
    return written


def makes_of(makes: str | Sequence[str]) -> list[str]:
    """The formats that a list, or words with commas between them, names; RequestError where one is unknown.

    >>> makes_of("wav, .PNG")
    ['wav', 'png']
    """
    found = [make.lstrip(".").lower() for make in _names(makes)]
    for make in found:
        if make not in MAKES:
            raise RequestError(f"a format must be one of {', '.join(MAKES)}; got {make!r}")
    return found


def format_of(out: str | os.PathLike[str]) -> str | None:
    """The format that a file name to write says; None for a folder; RequestError where the suffix is unknown.

    >>> format_of("take.wav"), format_of("takes")
    ('wav', None)
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if not suffix or path.is_dir() or os.fspath(out).endswith(("/", os.sep)):
        return None
    if suffix in formats.SUFFIXES:
        return "mid"
    if suffix[1:] in MAKES:
        return suffix[1:]
    raise RequestError(f"{path}: a file to write must end in .{', .'.join(MAKES)}; for a folder of that name "
                       "write a / behind it")


def render(music: Music, out: str | os.PathLike[str] = ".", *, makes: str | Sequence[str] = ("wav", "png"),
           soundfont: str | None = None, loop: bool = False, input_meter: str | None = None,
           input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Path]:
    """The files written: a piece as sound (.wav .flac .ogg .mp3), picture (.png .svg) or page (.html).

    `out` is such a file, or a folder that gets a file for every format of `makes`, named as the music is. `loop`:
    sound of the exact length of the piece, its tail folded into its head. RequestError for another format.
    """
    target = Path(out)
    named = target.suffix and not target.is_dir() and not os.fspath(out).endswith(("/", os.sep))
    stem = "piece" if isinstance(music, Score) else Path(music).stem
    files = [target] if named else [target / f"{stem}.{make}" for make in makes_of(makes)]
    if not files:
        raise RequestError(f"render must be told at least one format ({', '.join(MAKES[1:])}); got none")
    for file in files:
        if file.suffix[1:].lower() not in MAKES[1:]:
            raise RequestError(f"render writes {', '.join(MAKES[1:])}; got {file.name!r}")
    score = load(music, input_meter, input_downbeat, max_notes)
    make_folder(target.parent if named else target)
    for file in files:
        if file.suffix.lower() in (".png", ".svg"):
            roll.write_roll(score, file, title=file.stem)
        elif file.suffix.lower() == ".html":
            kind, sound = _sound(score, soundfont, loop)
            panel = page.Panel(title=file.stem, score=score, audio=sound, audio_type=kind, loop=loop)
            page.write_page([panel], file, title=file.stem)
        else:
            audio.write_audio(score, file, soundfont=soundfont, loop=loop)
    return files


class Converted(NamedTuple):
    """What `convert` did: the files written, and a sentence for each one that was skipped."""

    written: list[Path]
    skipped: list[str]


def convert(source: str | os.PathLike[str], out: str | os.PathLike[str], *, tempo: float | None = None,
            input_meter: str | None = None, input_downbeat: float | str | None = None,
            max_notes: int = formats.DEFAULT_MAX_NOTES,
            report: Report | None = None) -> Converted:
    """What was written and what skipped: a file, or all music in a folder, as MIDI, re-barred or at another tempo.

    `out` is a file whose suffix says the kind, or a folder, which keeps the folders inside `source` and gets .mid
    files. `tempo` is in quarter notes a minute and rules the whole piece. In a folder a file that cannot be converted
    is skipped; an error is raised where none can. `report` is called after each file; when it returns False, the rest
    is left.
    """
    pairs = _file_pairs(Path(source), Path(out))
    done = Converted([], [])
    for count, (old, new) in enumerate(pairs, 1):
        try:
            score = load(old, input_meter, input_downbeat, max_notes)
            if tempo is not None:
                score = score.replace(tempos=(Tempo(0, round(60e6 / theory.parse_tempo(tempo))),))
            make_folder(new.parent)
            formats.write(score, new)
            done.written.append(new)
        except PartimentoError as error:
            if len(pairs) == 1:
                raise
            done.skipped.append(str(error))
        if report is not None and not report(Progress("converting", count, len(pairs))):
            break
    if len(done.skipped) == len(pairs):
        raise WriteError(f"{source}: a file of it at least must be one that can be converted; none of {len(pairs)} is, "
                         f"the first because: {done.skipped[0]}")
    return done


def compare(path: str | os.PathLike[str], result: Result) -> str:
    """How a replay of the file came out: ``the same bytes``, ``the same notes, other bytes``, or ``OTHER NOTES``."""
    score = generate.stamped(result)
    if read_bytes(path) == formats.to_bytes(score):
        return SAME_BYTES
    same = np.array_equal(formats.read(path).notes(), formats.keep(score).notes())
    return SAME_NOTES if same else OTHER_NOTES


# --- the parts ---------------------------------------------------------------------------------------------------


def _run(request: Request, model: Model | str, source: Score | None, count: int) -> list[Result]:
    chosen = choose_model(model)
    named = request.replace(model=chosen.name, model_hash=chosen.hash)
    return generate.generate(named, chosen.model, source=source, count=count)


def _names(tracks: str | Sequence[str]) -> tuple[str, ...]:
    parts = tracks.split(",") if isinstance(tracks, str) else tracks
    return tuple(part.strip() for part in parts if part.strip())


def _seed(seed: int | None) -> int:
    return secrets.randbelow(1_000_000) if seed is None else seed


def _named_model(request: Request) -> str:
    if request.model is None:
        raise RequestError("this piece does not say which model made it: give one with --model")
    if request.model not in FAMILIES and not Path(request.model).exists():
        raise RequestError(f"this piece was made by the checkpoint {request.model}, which is not here: "
                           "give it with --model")
    return request.model


def _stems(results: Sequence[Result], out: Path, own: str | None, name: str) -> tuple[Path, list[str]]:
    """The folder, and a name without suffix for each Result."""
    if own:
        stem = out.stem
        return out.parent, [stem] if len(results) == 1 else [f"{stem}-{k + 1}" for k in range(len(results))]
    return out, [_stem(result.request, name) for result in results]


def _stem(request: Request, name: str) -> str:
    """A file name that says the input, verb, model, the facts asked, seed and candidate."""
    parts = [name[:60]] if name else []
    parts += [request.verb, Path(request.model or "model").stem]
    parts += [f"bars{request.place}"] if request.place else []
    parts += [f"{request.strength:g}"] if request.strength is not None else []
    parts += [request.key.replace("#", "sharp").replace(" ", "-")] if request.key else []
    parts += [request.meter.replace("/", "-")] if request.meter else []
    parts += [f"{request.tempo:g}bpm"] if request.tempo else []
    parts += ["stream"] if request.stream else []
    parts += [f"seed{request.seed}", str(request.index + 1)]
    return "".join(c if c.isalnum() or c in "-." else "-" for c in "-".join(parts))


def _file_pairs(source: Path, out: Path) -> list[tuple[Path, Path]]:
    """Each file to convert, and the file to write."""
    if not source.is_dir():
        return [(source, out if out.suffix and not out.is_dir() else out / f"{source.stem}.mid")]
    suffixes = formats.SUFFIXES
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
    if not files:
        raise RequestError(f"{source}: a folder to convert must hold music ({', '.join(suffixes)}); this one has none")
    pairs: dict[Path, Path] = {}
    for path in files:
        new = (out / path.relative_to(source)).with_suffix(".mid")
        pairs[new.with_name(f"{path.name}.mid") if new in pairs else new] = path    # a.kar beside a.mid: both stay
    return [(old, new) for new, old in pairs.items()]


def _write_one(result: Result, path: Path, make: str, soundfont: str | None) -> Path:
    if make == "mid":
        formats.write(generate.stamped(result), path)
    elif make in ("png", "svg"):
        roll.write_roll(result.score, path, title=path.stem, shaded=_shaded(result), new=_new(result))
    else:
        audio.write_audio(result.score, path, soundfont=soundfont, loop=result.request.loop)
    return path


def _panel(result: Result, stem: str, soundfont: str | None) -> page.Panel:
    kind, sound = _sound(result.score, soundfont, result.request.loop)
    return page.Panel(title=stem, score=result.score, asked_got=result.rows,
                      downloads={f"{stem}.mid": formats.to_bytes(generate.stamped(result))}, audio=sound,
                      audio_type=kind, note=" ".join(f"{n[0].upper()}{n[1:]}." for n in result.notes),
                      shaded=_shaded(result), new=_new(result), loop=result.request.loop)


def _settings(result: Result) -> dict[str, object]:
    """What the head of the page says of how the pieces were made."""
    request = result.request
    return {"model": request.model, "seed": request.seed, "temperature": request.temperature,
            "made by": result.platform}


def _sound(score: Score, soundfont: str | None, loop: bool) -> tuple[str, bytes]:
    """What browsers play and is quick to make: OGG; for a loop FLAC, which keeps the exact sample count."""
    make, kind = ("flac", "audio/flac") if loop else ("ogg", "audio/ogg")
    return kind, audio.audio_bytes(score, make, soundfont=soundfont, loop=loop)


def _shaded(result: Result) -> tuple[tuple[int, int, int], ...]:
    """The blanks, where not everything was blank."""
    return () if result.new.all() else tuple((r.track, r.start, r.end) for r in result.regions)


def _new(result: Result) -> BoolArray | None:
    return None if result.new.all() else result.new
