"""Looking into a model as one verb: what it learnt, as tables and pictures, and what it makes of every note of a piece.
"""

from __future__ import annotations

import csv
import io
import os
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from partimento import checkpoint, theory
from partimento.data import ledger
from partimento.errors import CheckpointError, ModelError, RequestError, WriteError, nearest
from partimento.formats import DEFAULT_MAX_NOTES
from partimento.formats.files import check_target, write_bytes
from partimento.models.base import FAMILIES, Model, Table
from partimento.render.heat import plain_number, write_heat
from partimento.score import Score
from partimento.verbs import Music, choose_model, load

LIKELIEST = 6               # of a row too wide for the terminal so many are told
OTHERS = "others"           # the column of all that is rare
PLACES = 4                  # digits after the point of bits


class ModelTables(NamedTuple):
    """What a model shows: its family, what its checkpoint says of itself, its tables, and which are not there and why.
    """

    name: str
    family: str
    about: dict[str, Any]
    tables: tuple[Table, ...]
    missing: str

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-ready."""
        return {**self.about, "family": self.family, "tables": [table.as_dict() for table in self.tables],
                "missing": self.missing}

    def text(self, width: int = 100) -> str:
        """The same for a terminal of so many columns."""
        head = [checkpoint.about_text(self.about)] if self.about else [f"{self.family} model"]
        tables = [table_text(table, width) for table in self.tables]
        return "\n\n".join([*head, *tables, *([f"note: {self.missing}"] if self.missing else [])])

    def draw(self, path: str | os.PathLike[str]) -> Path:
        """Write the tables as heat maps to `path` (.svg, .png, .html) and return the path."""
        if not self.tables:
            raise WriteError(f"there must be a table to draw; {self.missing}")
        record = self.about.get("record", {})
        learnt = f"learnt from {record['pieces']:,} pieces" if isinstance(record.get("pieces"), int) else ""
        note = "; ".join(filter(None, [learnt, "chances in hundredths, nothing where there are fewer than a half",
                                       self.missing]))
        title = f"The {self.family} family" if self.name == self.family else f"{self.name}, of the {self.family} family"
        return write_heat(self.tables, path, title=title, note=note)


class NoteRows(NamedTuple):
    """What a model makes of every note, a row a note in the order of the page: `columns` are their names.

    After track, bar, beat, tick, pitch and name come, for each stage of the model and for all together, the information
    content (``ic``) and the entropy in bits; None where a note has none. `ends` are the bits that no note carries: the
    content and the entropy of that nothing more comes.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float | None, ...], ...]
    ends: tuple[float, float]

    def as_dicts(self) -> list[dict[str, Any]]:
        """One dictionary a note."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def csv(self) -> str:
        """The rows as CSV with a head."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(self.columns)
        table.writerows([["" if cell is None else cell for cell in row] for row in self.rows])
        return out.getvalue()

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the CSV to `path` and return the path; WriteError where it does not end in .csv."""
        target = Path(path)
        if target.suffix.lower() != ".csv":
            raise WriteError(f"a table of notes must be written as .csv; got {target.name!r}")
        check_target(target)
        write_bytes(target, self.csv().encode())
        return target


def is_model(path: str | os.PathLike[str]) -> bool:
    """Whether this names a model: a checkpoint file, or a family where no file has its name.

    >>> is_model("rules"), is_model("song.mid")
    (True, False)
    """
    return Path(path).suffix == checkpoint.SUFFIX or (os.fspath(path) in FAMILIES and not Path(path).exists())


def model_tables(model: Model | str | os.PathLike[str], only: str = "") -> ModelTables:
    """Return what a model learnt as tables, all or those whose names hold the words `only`.

    `model` is a fitted one, a checkpoint or a family (its bundled checkpoint). RequestError where no table is so named.

    >>> model_tables("random").missing
    'the random family has no tables to show: it learns nothing'
    """
    about: dict[str, Any] = {}
    if isinstance(model, Model):
        used, name = model, model.family
    else:
        name = os.fspath(model)
        kind = FAMILIES.get(name)
        place = Path(name) if kind is None else checkpoint.bundled(name) if name in checkpoint.bundled_names() else None
        about = checkpoint.about_checkpoint(place) if place is not None else {}
        try:
            used = choose_model(place or name).model
        except CheckpointError as error:        # of a family that is not here, or damaged: what it says of itself stays
            return ModelTables(Path(name).stem, about["family"], about, (), f"its tables cannot be shown: {error}")
        name = Path(name).stem
    tables = tuple(used.tables())
    wanted = tuple(table for table in tables if " ".join(only.lower().split()) in table.name.lower())
    if tables and not wanted:
        raise RequestError(nearest(only, [table.name for table in tables], "table of this model"))
    return ModelTables(name, used.family, about, wanted, used.untabled())


def table_text(table: Table, width: int = 100) -> str:
    """A table for a terminal of so many columns, chances in hundredths; where it is too wide, each row's likeliest.

    >>> print(table_text(Table("coin", "the chance of each side", ("fair",), ("head", "tail"), ((0.25, 0.75),))))
    coin: the chance of each side
          head  tail
    fair    25    75
    """
    head = textwrap.wrap(ledger.shown(f"{table.name}: {table.about}"), max(width, 40), subsequent_indent="    ")
    corner = table.down if table.across else ""
    lines = [[corner, *table.columns, *(["seen"] if table.seen else [])]]
    for i, (name, row) in enumerate(zip(table.rows, table.values, strict=True)):
        lines.append([name, *(_cell(value, table) for value in row), *([f"{table.seen[i]:,}"] if table.seen else [])])
    wide = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    if sum(wide) + 2 * len(wide) - 2 <= width:
        return "\n".join([*head, *("  ".join([line[0].ljust(wide[0]), *map(str.rjust, line[1:], wide[1:])])
                                   for line in lines)])
    return "\n".join([*head, *(f"{name:<{wide[0]}}  {_likeliest(table, i)}" for i, name in enumerate(table.rows))])


def _cell(value: float, table: Table) -> str:
    if table.kind == "number":
        return plain_number(value)
    return f"{100 * value:.0f}" if value >= 0.005 else "·"


def _likeliest(table: Table, row: int) -> str:
    """A row by its largest numbers."""
    values = np.array(table.values[row])
    order = [i for i in np.argsort(-np.abs(values), kind="stable").tolist() if table.columns[i] != OTHERS]
    told = [i for i in order[:LIKELIEST] if table.kind == "number" or values[i] >= 0.005]
    words = [f"{table.columns[i]} {_cell(float(values[i]), table)}" for i in told]
    rest = 1 - float(values[told].sum())
    words += [f"{OTHERS} {100 * rest:.0f}"] if table.kind == "distribution" and rest >= 0.005 else []
    return ", ".join(words) + (f" (seen {table.seen[row]:,})" if table.seen else "")


# --- notes -----------------------------------------------------------------------------------------------------------


def note_rows(music: Music, *, model: Model | str = "markov", input_meter: str | None = None,
              input_downbeat: float | str | None = None, max_notes: int = DEFAULT_MAX_NOTES) -> NoteRows:
    """Return what a model makes of every note of a piece: information content and entropy in bits, by stage.

    The content of a note is −log2 of the probability that the model gave to what stands there, given all that it had
    written before; the entropy is of the distribution it would have drawn from. ModelError where the family has no
    likelihood or the model has learnt nothing, RequestError where there is no note or the piece is impossible to it.

    >>> tune = Score.from_rows([(480 * i, 480, 60 + i % 5, 80, 0) for i in range(8)])
    >>> note_rows(tune, model="random").as_dicts()[1]["name"]
    'C#4'
    """
    score = load(music, input_meter, input_downbeat, max_notes)
    if not len(score):
        raise RequestError("there must be notes to weigh; the piece has none")
    used = choose_model(model).model
    if not used.has_likelihood:
        raise ModelError(f"information content needs a family with a likelihood; the {used.family} family has none: "
                         "name another with --model")
    if not used.fitted:
        raise ModelError(f"information content needs a model that has learnt; this {used.family} model has learnt "
                         "nothing")
    found = used.information(score)
    if found is None:
        raise ModelError(f"the {used.family} family weighs pieces whole and cannot tell its notes apart: name another "
                         "with --model")
    if not np.isfinite(found.bits):
        raise RequestError(f"the piece must be possible to the model; the {used.family} family holds it for impossible")
    stages = list(found.content)
    total = found.total
    columns = [(f"{stage}_ic", found.content[stage]) for stage in stages] + [("ic", total[0])]
    more = [(f"{stage}_entropy", found.entropy[stage]) for stage in stages] + [("entropy", total[1])]
    bits = [pair for both in zip(columns, more, strict=True) for pair in both]
    told = np.round(np.stack([own for _, own in bits], axis=1), PLACES) + 0.0
    rows = [(*_placed(score, note), *(None if np.isnan(one) else float(one) for one in told[note]))
            for note in np.lexsort((score.pitch, score.track, score.onset)).tolist()]
    ends = np.sum([list(own) for own in found.ends.values()] or [[0.0, 0.0]], axis=0)
    return NoteRows(("track", "bar", "beat", "tick", "pitch", "name", *(name for name, _ in bits)), tuple(rows),
                    (float(ends[0]), float(ends[1])))


def _placed(score: Score, note: int) -> tuple[str, int, float, int, int, str]:
    """Track, bar (1 the first full one), beat (from 1), tick, pitch and its name."""
    tick, pitch, number = int(score.onset[note]), int(score.pitch[note]), int(score.track[note])
    track, bar = score.tracks[number], score.bar_number(tick)
    beat = 4 * score.ticks_per_quarter / score.meter_at(tick).denominator
    fifths = [key.fifths for key in score.keys if key.tick <= tick][-1:] or [0]
    name = theory.DRUM_NAMES.get(pitch, str(pitch)) if track.is_drum else theory.pitch_name(pitch, fifths[0])
    return (track.name or f"track {number + 1}", bar, round(1 + (tick - score.bar_span(bar)[0]) / beat, 4), tick, pitch,
            name)
