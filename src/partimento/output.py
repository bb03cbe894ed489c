"""Music out into files: as MIDI or notation, sound, engraved pages, piano rolls, and one page that plays it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from partimento import formats
from partimento.errors import ReadError, RequestError
from partimento.formats.files import make_folder, read_bytes, write_bytes
from partimento.notation.play import played
from partimento.provenance import (
    SIDECAR,
    Record,
    inside_of,
    is_sidecar,
    joined,
    music_of,
    read_record,
    record_of,
    recorded_so,
    sign_record,
    text_inside,
    text_of,
    write_record,
)
from partimento.render import audio, engrave, page, portrait, roll
from partimento.request import Request, Result
from partimento.score import BoolArray, Score
from partimento.verbs import Music, load

MUSIC = ("mid", "musicxml", "mxl", "abc")
SOUND = ("wav", "flac", "ogg", "mp3")
PAGES = ("pdf", "svg", "png")
ROLLS = ("roll.png", "roll.svg")
MAKES = (*MUSIC, *SOUND, *PAGES, *ROLLS, "html")
SAME_BYTES, SAME_NOTES, OTHER_NOTES = "the same bytes", "the same notes, other bytes", "OTHER NOTES"


def write(results: Sequence[Result], out: str | os.PathLike[str] = ".", *, makes: str | Sequence[str] = (),
          soundfont: str | None = None, paper: str = "A4", name: str = "", provenance: bool = True,
          inside: bool = False, key: str | os.PathLike[str] | None = None, password: str | None = None) -> list[Path]:
    """The files written, in order: every Result in every format of `makes`, and one page that plays all (``html``).

    `out` is a folder (names say what is inside, and begin with `name`, that of the input say), or a file name for
    a single piece, which adds its own format. Without `makes` that format alone is written, or MIDI. Music comes
    first, so that a sound or a picture that fails leaves it in place.

    Beside each piece goes its record, ``NAME.provenance.json`` (`partimento.provenance`; not among the paths given
    back), unless `provenance` is False; `inside` puts one into MIDI and MusicXML files too (ABC has no place for it).
    A private `key` (and its `password`, where it has one) signs them. A page has the records as downloads.
    """
    target, own = Path(out), format_of(out)
    ordered = sorted({*makes_of(makes), *([own] if own else [])} or {"mid"}, key=MAKES.index)
    folder, stems = _stems(results, target, own, name)
    if inside and not provenance and "abc" in ordered:
        raise RequestError("a record inside must be in a file of MIDI or MusicXML; ABC has no place for one: leave the "
                           "record beside it, or write mid or musicxml")
    keeper = _Keeper(results, provenance, inside, key, password)
    make_folder(folder)
    endings = {own: _ending(target, own)} if own else {}
    files = {make: [folder / f"{stem}{endings.get(make, f'.{make}')}" for stem in stems] for make in ordered}
    written: list[Path] = []
    records, music = [folder / f"{stem}{SIDECAR}" for stem in stems], [make for make in ordered if make in MUSIC]
    for make in music:
        for number, file in enumerate(files[make]):
            keeper.write(number, file)
            written.append(file)
    if music:
        keeper.write_records(records)
    with _Drawer(paper) as drawer:
        for make in [make for make in ordered if make not in (*MUSIC, "html")]:
            for result, file in zip(results, files[make], strict=True):
                loop, shaded, new = result.request.loop, _shaded(result), _new(result)
                written += _write_one(result.score, file, make, drawer, soundfont, loop, shaded, new)
    if written and not music:
        keeper.write_records(records)
    if "html" in ordered:
        where = folder / (f"{target.stem}{endings.get('html', '.html')}" if own else "index.html")
        panels = [_panel(result, stem, soundfont, keeper.downloads(number, stem))
                  for number, (result, stem) in enumerate(zip(results, stems, strict=True))]
        page.write_page(panels, where, title=f"partimento: {results[0].request.verb}", settings=_settings(results[0]),
                        foot=keeper.told())
        written.append(where)
    return written


def render(music: Music, out: str | os.PathLike[str] = ".", *, makes: str | Sequence[str] = ("wav", "roll.png"),
           soundfont: str | None = None, loop: bool = False, paper: str = "A4", input_meter: str | None = None,
           input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> list[Path]:
    """The files written: a piece as sound, as engraved pages (pdf, svg, png), as piano roll, or as a page that plays.

    `out` is such a file, or a folder that gets a file for every format of `makes`, named as the music is; a piece of
    several pages gives several svg and png files, ``-1``, ``-2`` ... `loop`: sound of the exact length of the piece,
    its tail folded into its head. `paper` is ``A4`` or ``letter``. RequestError for another format.
    """
    target, own = Path(out), format_of(out)
    stem = "piece" if isinstance(music, Score) else Path(music).stem
    files = [(target, own)] if own else [(target / f"{stem}.{make}", make) for make in makes_of(makes)]
    if not files:
        raise RequestError(f"render must be told at least one format ({', '.join(MAKES[len(MUSIC):])}); got none")
    for file, make in files:
        if make in MUSIC:
            raise RequestError(f"render writes {', '.join(MAKES[len(MUSIC):])}; got {file.name!r}: partimento convert "
                               "writes music")
    score = load(music, input_meter, input_downbeat, max_notes)
    make_folder(target.parent if own else target)
    written: list[Path] = []
    with _Drawer(paper) as drawer:
        for file, make in files:
            if make == "html":
                kind, sound = _sound(score, soundfont, loop)
                panel = page.Panel(title=file.stem, score=score, audio=sound, audio_type=kind, loop=loop)
                page.write_page([panel], file, title=file.stem)
                written.append(file)
            else:
                written += _write_one(score, file, make, drawer, soundfont, loop)
    return written


def draw_portrait(music: Music, out: str | os.PathLike[str], *, input_meter: str | None = None,
                  input_downbeat: float | str | None = None, max_notes: int = formats.DEFAULT_MAX_NOTES) -> Path:
    """The picture written (``.svg`` or ``.png``) of what a piece holds: key, chords, phrases, bars, form and habits.

    RequestError for a folder, which has no portrait; WriteError for another suffix.
    """
    if not isinstance(music, Score) and Path(music).is_dir():
        raise RequestError(f"a portrait must be of one piece; {music} is a folder: name a file in it")
    title = "" if isinstance(music, Score) else Path(music).stem
    return portrait.write_portrait(load(music, input_meter, input_downbeat, max_notes), out, title=title)


def makes_of(makes: str | Sequence[str]) -> list[str]:
    """The formats that a list, or words with commas between them, names; RequestError where one is unknown.

    >>> makes_of("wav, .PNG")
    ['wav', 'png']
    """
    words = makes.split(",") if isinstance(makes, str) else makes
    found = [word.strip().lstrip(".").lower() for word in words if word.strip()]
    for make in found:
        if make not in MAKES:
            raise RequestError(f"a format must be one of {', '.join(MAKES)}; got {make!r}")
    return found


def format_of(out: str | os.PathLike[str]) -> str | None:
    """The format that a file name to write says; None for a folder; RequestError where the suffix is unknown.

    >>> format_of("take.wav"), format_of("take.roll.png"), format_of("takes")
    ('wav', 'roll.png', None)
    """
    path = Path(out)
    suffix = path.suffix.lower()
    if not suffix or path.is_dir() or os.fspath(out).endswith(("/", os.sep)):
        return None
    if path.name.lower().endswith(tuple(f".{make}" for make in ROLLS)):
        return f"roll{suffix}"
    if suffix in formats.KINDS["midi"]:
        return "mid"
    if suffix == ".xml":
        return "musicxml"
    if suffix[1:] in MAKES:
        return suffix[1:]
    raise RequestError(f"{path}: a file to write must end in .{', .'.join(MAKES)}; for a folder of that name "
                       "write a / behind it")


def compare(path: str | os.PathLike[str], result: Result) -> str:
    """How a replay of the file came out: ``the same bytes``, ``the same notes, other bytes``, or ``OTHER NOTES``.

    The file may be the record of a piece: then it is compared with what was recorded.
    """
    if is_sidecar(path):
        same_bytes, same = recorded_so(read_record(path), result)
    else:
        found, suffix = formats.read(path), Path(path).suffix
        score = music_of(result, text_inside(found))
        same_bytes = read_bytes(path) == formats.to_bytes(score, suffix)
        same = same_bytes or np.array_equal(found.notes(), formats.keep(score, suffix).notes())
    return SAME_BYTES if same_bytes else SAME_NOTES if same else OTHER_NOTES


# --- the parts ---------------------------------------------------------------------------------------------------


class _Keeper:
    """Writes the music of Results and their records; what is asked of records is checked before anything is written."""

    def __init__(self, results: Sequence[Result], provenance: bool, inside: bool,
                 key: str | os.PathLike[str] | None, password: str | None) -> None:
        self.results, self.beside, self.inside = results, provenance, inside
        self.key, self.password = key, password
        if key is not None and not (provenance or inside):
            raise RequestError("a key signs records; without any there is nothing to sign: leave out one of the two")
        if key is not None:
            sign_record(record_of(results[0]), key, password=password)
        self.files: list[dict[str, bytes]] = [{} for _ in results]
        self.records: dict[int, Record] = {}

    def write(self, number: int, file: Path) -> None:
        """Write the music of one Result."""
        result, suffix = self.results[number], file.suffix.lower()
        formats.write(music_of(result), file)
        if self.inside and suffix != ".abc":
            record = inside_of(record_of(result, {suffix: read_bytes(file)}), suffix)
            formats.write(music_of(result, text_of(self._signed(record))), file)
        self.files[number][suffix] = read_bytes(file)

    def write_records(self, places: Sequence[Path]) -> None:
        """Write the record of every Result; files that were written of the same piece before stay in it."""
        for number, place in enumerate(places if self.beside else ()):
            write_record(self._record(number, place), place)

    def downloads(self, number: int, stem: str) -> dict[str, bytes]:
        """What a page offers of one Result: its MIDI file and its record, by name."""
        midi = self.files[number].get(".mid") or formats.to_bytes(music_of(self.results[number]))
        self.files[number].setdefault(".mid", midi)
        return {f"{stem}.mid": midi,
                **({f"{stem}{SIDECAR}": self._record(number).to_text().encode()} if self.beside else {})}

    def told(self) -> str:
        """What a page says of records."""
        settings = "MIDI and MusicXML files hold their settings as a text, so that they can be made again."
        if not self.beside:
            return f"No records of provenance were written. {settings}"
        return ("With each piece goes a record, NAME.provenance.json: the program and the kind of machine, the model "
                "and what taught it, all settings, the piece that was worked on, how original it is, who made each "
                "bar, and hashes of every bar. It holds no time, and nothing of you or of your machine but its kind. "
                f"--no-provenance leaves it out. {settings}")

    def _record(self, number: int, place: Path | None = None) -> Record:
        if number not in self.records:
            record = record_of(self.results[number], self.files[number])
            with contextlib.suppress(ReadError):        # none there yet, or none that can be read
                record = joined(record, read_record(place)) if place is not None else record
            self.records[number] = self._signed(record)
        return self.records[number]

    def _signed(self, record: Record) -> Record:
        return record if self.key is None else sign_record(record, self.key, password=self.password)


def _write_one(score: Score, path: Path, make: str, drawer: _Drawer, soundfont: str | None, loop: bool,
               shaded: Sequence[tuple[int, int, int]] = (), new: BoolArray | None = None) -> list[Path]:
    """The files that one piece becomes in one format of sound or picture: one, or one a page."""
    if make in PAGES:
        return drawer.write(score, path, make)
    if make in ROLLS:
        roll.write_roll(score, path, title=path.name[:-len(make) - 1], shaded=shaded, new=new)
    else:
        audio.write_audio(played(score), path, soundfont=soundfont, loop=loop)
    return [path]


class _Drawer:
    """Engraves scores, each once, however many formats its pages are written in."""

    def __init__(self, paper: str) -> None:
        self.paper = paper
        self.engraver: engrave.Engraver | None = None
        self.drawn: dict[int, list[str]] = {}

    def write(self, score: Score, path: Path, make: str) -> list[Path]:
        """Write the pages as one .pdf, or as one .svg or .png a page; the files written."""
        pages = self.pages(score)
        if make == "pdf":
            found = [engrave.pdf(pages)]
        else:
            found = [one.encode("utf-8") for one in pages] if make == "svg" else engrave.png(pages)
        paths = [path] if len(found) == 1 else [path.with_stem(f"{path.stem}-{k + 1}") for k in range(len(found))]
        for place, data in zip(paths, found, strict=True):
            write_bytes(place, data)
        return paths

    def pages(self, score: Score) -> list[str]:
        if id(score) not in self.drawn:
            self.engraver = self.engraver or engrave.Engraver()
            self.drawn[id(score)] = self.engraver.pages(formats.to_bytes(score, ".musicxml"), paper=self.paper)
        return self.drawn[id(score)]

    def __enter__(self) -> _Drawer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.engraver is not None:
            self.engraver.close()


def _stems(results: Sequence[Result], out: Path, own: str | None, name: str) -> tuple[Path, list[str]]:
    """The folder, and a name without suffix for each Result."""
    if own:
        stem = out.name[:-len(_ending(out, own))]
        return out.parent, [stem] if len(results) == 1 else [f"{stem}-{k + 1}" for k in range(len(results))]
    return out, [_stem(result.request, name) for result in results]


def _ending(path: Path, make: str) -> str:
    """What of a file name says its format."""
    return path.name[-len(make) - 1:] if make in ROLLS else path.suffix


def _stem(request: Request, name: str) -> str:
    """A file name that says the input, verb, model, the facts asked, seed and candidate."""
    parts = [name[:60]] if name else []
    parts += [request.verb, *([] if request.verb == "humanize" else [Path(request.model or "model").stem])]
    parts += [f"bars{request.place}"] if request.place else []
    parts += [f"{request.strength:g}"] if request.strength is not None else []
    parts += [request.key.replace("#", "sharp").replace(" ", "-")] if request.key else []
    parts += [request.meter.replace("/", "-")] if request.meter else []
    parts += [f"{request.tempo:g}bpm"] if request.tempo else []
    parts += ["stream"] if request.stream else []
    parts += [f"seed{request.seed}", str(request.index + 1)]
    return "".join(c if c.isalnum() or c in "-." else "-" for c in "-".join(parts))


def _panel(result: Result, stem: str, soundfont: str | None, downloads: Mapping[str, bytes]) -> page.Panel:
    kind, sound = _sound(result.score, soundfont, result.request.loop)
    return page.Panel(title=stem, score=result.score, asked_got=result.rows, downloads=downloads, audio=sound,
                      audio_type=kind, note=" ".join(f"{n[0].upper()}{n[1:]}." for n in result.notes),
                      shaded=_shaded(result), new=_new(result), loop=result.request.loop)


def _settings(result: Result) -> dict[str, object]:
    """What the head of the page says of how the pieces were made."""
    request = result.request
    said = {"model": request.model, "seed": request.seed, "temperature": request.temperature,
            "made by": result.platform}
    return {name: value for name, value in said.items() if value is not None}


def _sound(score: Score, soundfont: str | None, loop: bool) -> tuple[str, bytes]:
    """What browsers play and is quick to make: OGG; for a loop FLAC, which keeps the exact sample count.

    Bars sound in the order of the page, which is that of the roll beside it.
    """
    make, kind = ("flac", "audio/flac") if loop else ("ogg", "audio/ogg")
    return kind, audio.audio_bytes(played(score, repeats=False), make, soundfont=soundfont, loop=loop)


def _shaded(result: Result) -> tuple[tuple[int, int, int], ...]:
    """The blanks, where not everything was blank."""
    return () if result.new.all() else tuple((r.track, r.start, r.end) for r in result.regions)


def _new(result: Result) -> BoolArray | None:
    return None if result.new.all() else result.new
