"""The verbs as functions: the same names and arguments as the command line, music in and Results out.

`music` is a Score or a file. Facts: `meter` (``3/4``), `tempo` (quarter notes a minute), `key` (``E minor``),
`tracks` (names, in a list or with commas between), `chords` (``Am F C G``, one a bar), `ranges` (``{"violin":
"G3-E6"}``). Aims: `targets` (``{"density": 6}``; see ``partimento.controls.CONTROLS``), of `tries` attempts the
nearest. `model` is as in `choose_model`; `seed` is drawn where None; `count` is how many candidates to compose;
`input_meter` and `input_downbeat` (quarter notes or ``auto``) re-bar the music as in ``partimento.formats.rebar``.
`originality` (``strict``, ``normal``, ``off``) says how much of the music that taught the model may be borrowed
before it is written anew; no piece matches the `registries` (files, folders or Registry objects) of music that may
not be used. RequestError where a wish cannot be met, ModelError where the model cannot do it, ReadError where the
music cannot be read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from partimento import checkpoint, formats, generate, provenance
from partimento.errors import RequestError
from partimento.fingerprint.index import open_index
from partimento.fingerprint.registry import Registry
from partimento.fingerprint.registry import load as load_registries
from partimento.judge.guard import Guard
from partimento.models.base import FAMILIES, Model, family
from partimento.performance.perform import humanize_score, swing_of
from partimento.request import Request, Result
from partimento.score import Score

Music = Score | str | os.PathLike[str]
Registered = Registry | str | os.PathLike[str]


class Chosen(NamedTuple):
    """A model ready to play, the name to show, and the sha256 of its checkpoint (None for a family without one).

    `guard` holds the index and the registries of the checkpoint, `maker` what a record says of it, JSON-ready.
    """

    model: Model
    name: str
    hash: str | None
    guard: Guard = generate.UNGUARDED
    maker: Mapping[str, Any] = {}


def choose_model(model: Model | str | os.PathLike[str] = "markov") -> Chosen:
    """The model that is meant: a fitted one, a checkpoint file, a family (its bundled checkpoint), or your own class.

    >>> choose_model("random").model.family
    'random'
    """
    if isinstance(model, Model):
        return Chosen(model, model.family, None)
    name = os.fspath(model)
    if name not in FAMILIES and (name.endswith(".partimento") or Path(name).exists()):
        return _chosen(checkpoint.load(Path(name)), Path(name).name)
    kind = family(name)
    if not kind.learns:
        return Chosen(kind(), name, None)
    return _chosen(checkpoint.load(checkpoint.bundled(name)), name)


def _chosen(loaded: checkpoint.Loaded, name: str) -> Chosen:
    indexes = tuple(open_index(loaded.path, begin, size) for begin, size in loaded.index_places())
    registry = loaded.registry()
    guard = Guard(indexes, Registry.from_bytes(registry) if registry else Registry())
    return Chosen(loaded.model, name, loaded.hash, guard, provenance.taught_by(loaded))


def compose(*, model: Model | str = "markov", bars: int | None = None, form: str | None = None,
            style: str | None = None, meter: str | None = None,
            tempo: float | None = None, key: str | None = None, tracks: str | Sequence[str] = (),
            chords: str | None = None, ranges: Mapping[str, str] | None = None,
            targets: Mapping[str, float] | None = None, loop: bool = False, temperature: float | None = None,
            top_p: float | None = None, tries: int | None = None, originality: str = "normal",
            registries: Sequence[Registered] = (), seed: int | None = None, count: int = 1) -> list[Result]:
    """New pieces out of nothing but what is asked; what is left open is filled in the style learnt.

    `form` (``A8 A8 B8 A'8``, ``AABA``) says which sections return, or return varied, and how many bars there are;
    `style` is one of those that the family knows (of rules: ``bossa``, ``waltz``; `Model.styles`).

    >>> [r.score.n_bars for r in compose(model="random", bars=4, meter="3/4", seed=1, count=2)]
    [4, 4]
    """
    request = Request(verb="compose", bars=bars, form=form, style=style, meter=meter, tempo=tempo, key=key,
                      tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, loop=loop, temperature=temperature,
                      top_p=top_p, tries=tries, originality=originality, seed=_seed(seed))
    return _run(request, model, None, count, registries)


def continue_(music: Music, *, model: Model | str = "markov", bars: int | None = None, meter: str | None = None,
              tempo: float | None = None, key: str | None = None, tracks: str | Sequence[str] = (),
              chords: str | None = None, ranges: Mapping[str, str] | None = None,
              targets: Mapping[str, float] | None = None, temperature: float | None = None, top_p: float | None = None,
              tries: int | None = None, originality: str = "normal", registries: Sequence[Registered] = (),
              seed: int | None = None, count: int = 1, input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with `bars` more bars; a part-filled last bar is completed first. `tracks`: only these go on.

    >>> song = compose(model="random", bars=4, seed=1)[0].score
    >>> continue_(song, model="random", bars=2, seed=1)[0].score.n_bars
    6
    """
    request = Request(verb="continue", bars=bars, meter=meter, tempo=tempo, key=key, tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, temperature=temperature,
                      top_p=top_p, tries=tries, originality=originality, seed=_seed(seed))
    return _run(request, model, music, count, registries,
                input_meter=input_meter, input_downbeat=input_downbeat, max_notes=max_notes)


def infill(music: Music, *, bars: str, model: Model | str = "markov", tracks: str | Sequence[str] = (),
           open: str = "all", key: str | None = None, chords: str | None = None,
           ranges: Mapping[str, str] | None = None, targets: Mapping[str, float] | None = None,
           temperature: float | None = None, top_p: float | None = None, tries: int | None = None,
           originality: str = "normal", registries: Sequence[Registered] = (), seed: int | None = None,
           count: int = 1, input_meter: str | None = None,
           input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with the place `bars` (``5-8``, ``5.3-8``) written anew in `tracks`; open ``pitch``: rhythm stays.

    >>> song = compose(model="random", bars=4, seed=1)[0].score
    >>> piece = infill(song, bars="2-3", model="random", seed=1)[0]
    >>> sorted({piece.score.bar_number(tick) for tick in piece.score.onset[piece.new].tolist()})
    [2, 3]
    """
    request = Request(verb="infill", place=bars, tracks=_names(tracks), open=open, key=key, chords=chords,
                      ranges=ranges or {}, targets=targets or {}, temperature=temperature, top_p=top_p,
                      tries=tries, originality=originality, seed=_seed(seed))
    return _run(request, model, music, count, registries,
                input_meter=input_meter, input_downbeat=input_downbeat, max_notes=max_notes)


def harmonize(music: Music, *, model: Model | str = "markov", tracks: str | Sequence[str] = (),
              species: int | None = None, key: str | None = None, chords: str | None = None,
              ranges: Mapping[str, str] | None = None,
              targets: Mapping[str, float] | None = None, temperature: float | None = None, top_p: float | None = None,
              tries: int | None = None, originality: str = "normal", registries: Sequence[Registered] = (),
              seed: int | None = None, count: int = 1, input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The melody with `tracks` added to it (a track that is there already is written anew).

    `species` (1–4) makes the one new track a counterpoint of that species to the line given; the rules family does it.

    >>> song = compose(model="random", bars=2, tracks="flute", seed=1)[0].score
    >>> [track.name for track in harmonize(song, tracks="piano,bass", model="random", seed=1)[0].score.tracks]
    ['flute', 'piano', 'bass']
    """
    request = Request(verb="harmonize", tracks=_names(tracks), species=species, key=key, chords=chords,
                      ranges=ranges or {}, targets=targets or {}, temperature=temperature, top_p=top_p, tries=tries,
                      originality=originality, seed=_seed(seed))
    return _run(request, model, music, count, registries,
                input_meter=input_meter, input_downbeat=input_downbeat, max_notes=max_notes)


def accompany(music: Music, *, model: Model | str = "markov", tracks: str | Sequence[str] = (),
              key: str | None = None, chords: str | None = None, ranges: Mapping[str, str] | None = None,
              targets: Mapping[str, float] | None = None, temperature: float | None = None, top_p: float | None = None,
              tries: int | None = None, originality: str = "normal", registries: Sequence[Registered] = (),
              seed: int | None = None, count: int = 1, input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece, every note of it, with a band: piano, bass and drums as far as they do not play in it, or `tracks`.

    >>> song = compose(model="random", bars=2, tracks="flute", seed=1)[0].score
    >>> [track.name for track in accompany(song, model="random", seed=1)[0].score.tracks]
    ['flute', 'piano', 'bass', 'drums']
    """
    request = Request(verb="accompany", tracks=_names(tracks), key=key, chords=chords, ranges=ranges or {},
                      targets=targets or {}, temperature=temperature, top_p=top_p, tries=tries,
                      originality=originality, seed=_seed(seed))
    return _run(request, model, music, count, registries,
                input_meter=input_meter, input_downbeat=input_downbeat, max_notes=max_notes)


def vary(music: Music, *, strength: float = 0.5, model: Model | str = "markov", tracks: str | Sequence[str] = (),
         open: str = "all", key: str | None = None, chords: str | None = None,
         ranges: Mapping[str, str] | None = None, targets: Mapping[str, float] | None = None,
         temperature: float | None = None, top_p: float | None = None, tries: int | None = None,
         originality: str = "normal", registries: Sequence[Registered] = (), seed: int | None = None,
         count: int = 1, input_meter: str | None = None, input_downbeat: float | str | None = None,
         max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece with a share `strength` (0–1) of its notes let go and written anew; 0 is the input.

    >>> song = compose(model="random", bars=2, seed=1)[0].score
    >>> vary(song, strength=0, model="random", seed=1)[0].score == song
    True
    """
    request = Request(verb="vary", strength=strength, tracks=_names(tracks), open=open, key=key, chords=chords,
                      ranges=ranges or {}, targets=targets or {}, temperature=temperature, top_p=top_p,
                      tries=tries, originality=originality, seed=_seed(seed))
    return _run(request, model, music, count, registries,
                input_meter=input_meter, input_downbeat=input_downbeat, max_notes=max_notes)


def humanize(music: Music, *, strength: float = 0.7, bars: str | None = None, tracks: str | Sequence[str] = (),
             swing: float | str | None = None, rules: Mapping[str, float] | None = None, seed: int | None = None,
             count: int = 1, input_meter: str | None = None, input_downbeat: float | str | None = None,
             max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Result]:
    """The piece as a player would play it: the same notes, with other velocities, small shifts in time, and a tempo.

    `strength` (0–1) is how much; 0 is the input. `bars` (``5-8``) and `tracks` say where. `swing` makes the first half
    of each beat so many times as long as the second (2 is 2 to 1; ``auto``: as the tempo suggests). `rules` changes
    the quantities of rules (``{"phrase_tempo": 0, "high_loud": 1.5}``): `partimento.performance.rules.RULES`.

    >>> song = compose(model="random", bars=4, seed=1)[0].score
    >>> piece = humanize(song, strength=1, seed=1)[0].score
    >>> len(piece) == len(song), len(set(piece.velocity.tolist())) > 1
    (True, True)
    """
    score = load(music, input_meter, input_downbeat, max_notes)
    request = Request(verb="humanize", place=bars, tracks=_names(tracks), strength=strength,
                      swing=swing_of(swing, score), rules=rules or {}, seed=_seed(seed))
    return provenance.attributed(humanize_score(request, score, count), {}, music)


def stream(music: Music | None = None, *, verb: str = "compose", model: Model | str = "markov",
           bars: int | str | None = None, form: str | None = None, style: str | None = None, meter: str | None = None,
           tempo: float | None = None, key: str | None = None,
           tracks: str | Sequence[str] = (), chords: str | None = None, ranges: Mapping[str, str] | None = None,
           targets: Mapping[str, float] | None = None, open: str = "all", strength: float | None = None,
           species: int | None = None, loop: bool = False, temperature: float | None = None, top_p: float | None = None,
           originality: str = "normal", registries: Sequence[Registered] = (), seed: int | None = None, index: int = 0,
           input_meter: str | None = None, input_downbeat: float | str | None = None,
           max_notes: int = formats.DEFAULT_MAX_NOTES) -> generate.Streaming:
    """The bars of a new piece one by one as they are made, then its Result: any verb, with the arguments it takes.

    Each bar is a Score: the frame of the piece with the notes of that bar, kept and new. What is out stays, so nothing
    is ranked and nothing made again; `targets` are only measured. `index` is which candidate of the seed.

    >>> bars = stream(model="random", bars=4, seed=1)
    >>> [bars.numbers, sum(len(bar) for bar in bars) == len(bars.result.score)]
    [(1, 2, 3, 4), True]
    """
    place = verb == "infill" and bars is not None
    wish: dict[str, Any] = {"form": form, "style": style} | ({"place": str(bars)} if place else {"bars": bars})
    request = Request(verb=verb.rstrip("_"), **wish, meter=meter, tempo=tempo, key=key, tracks=_names(tracks),
                      chords=chords, ranges=ranges or {}, targets=targets or {}, open=open, strength=strength,
                      species=species, loop=loop, temperature=temperature, top_p=top_p, originality=originality,
                      seed=_seed(seed), index=index)
    chosen = choose_model(model)
    source = None if music is None else load(music, input_meter, input_downbeat, max_notes)
    named, guard = _guarded(request, chosen, registries)
    made = generate.stream(named, chosen.model, source=source, guard=guard)
    made.maker = provenance.maker_of(chosen.maker, music)
    return made


def replay(music: Music, *, model: Model | str | None = None, registries: Sequence[Registered] = ()) -> Result:
    """The piece again from the settings inside the file, or in its record; `model` where its checkpoint is yours.

    RequestError where there are no settings, or the model or the registries are not those that made it.
    `output.compare` says whether it came out the same.
    """
    request = provenance.request_of(music)
    if request.verb == "humanize":
        if model is not None or registries:
            raise RequestError("a performance must be made again without --model and --registry: no model made it")
        return provenance.replayed(humanize_score(request)[0], music)
    chosen = choose_model(model or _named_model(request))
    if chosen.hash != request.model_hash:
        raise RequestError(f"this piece was made by the checkpoint {request.model} with sha256 "
                           f"{str(request.model_hash)[:12]}…; {chosen.name} is {str(chosen.hash)[:12]}…: give the "
                           "right one with --model")
    named, guard = _guarded(request, chosen, registries)
    if named.registry != request.registry:
        asked = f"the registry with sha256 {request.registry[:12]}…: give it" if request.registry else \
            "no registry of its own: give none"
        raise RequestError(f"this piece was made beside {asked} with --registry")
    return provenance.replayed(dataclasses.replace(generate.remake(request, chosen.model, guard),
                                                   maker=chosen.maker), music)


def load(music: Music, input_meter: str | None = None, input_downbeat: float | str | None = None,
         max_notes: int = formats.DEFAULT_MAX_NOTES) -> Score:
    """A Score, or the music of a file, re-barred when its bars are not what the file says."""
    score = music if isinstance(music, Score) else formats.read(Path(music), max_notes=max_notes)
    if input_meter is None and input_downbeat is None:
        return score
    return formats.rebar(score, formats.parse_input_meter(input_meter or None), input_downbeat)


# --- the parts ---------------------------------------------------------------------------------------------------


def _run(request: Request, model: Model | str, music: Music | None, count: int,
         registries: Sequence[Registered], **reading: Any) -> list[Result]:
    chosen = choose_model(model)
    named, guard = _guarded(request, chosen, registries)
    score = None if music is None else load(music, **reading)
    made = generate.generate(named, chosen.model, source=score, count=count, guard=guard)
    return provenance.attributed(made, chosen.maker, music)


def _guarded(request: Request, chosen: Chosen, registries: Sequence[Registered]) -> tuple[Request, Guard]:
    """The request with what composes it named, and the guard of the model with the registries given besides."""
    given = load_registries(*(one for one in registries if not isinstance(one, Registry))).merge(
        *(one for one in registries if isinstance(one, Registry)))
    digest = hashlib.sha256(given.to_bytes()).hexdigest() if given.deposits else None
    named = request.replace(model=chosen.name, model_hash=chosen.hash, registry=digest)
    return named, dataclasses.replace(chosen.guard, registry=chosen.guard.registry.merge(given))


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


