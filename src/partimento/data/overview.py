"""What is in a file or a folder of music, as plain JSON-ready tables and as text for a terminal."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from partimento import theory
from partimento.data import about, ledger
from partimento.data.archive import archive_kind
from partimento.data.corpus import Change, Corpus, load, rebarring
from partimento.data.hearing import hearing, hearing_text
from partimento.data.reading import read_one
from partimento.errors import ReadError, RequestError
from partimento.formats.reading import DEFAULT_MAX_NOTES
from partimento.models.base import Report
from partimento.score import Score, Track

QUANTILES = (("least", 0.0), ("low quarter", 0.25), ("median", 0.5), ("high quarter", 0.75), ("most", 1.0))
SHOWN = 12


def inspect(path: str | os.PathLike[str], *, licence: str | None = None, max_notes: int = DEFAULT_MAX_NOTES,
            input_meter: str | None = None, input_downbeat: float | str | None = None, workers: int | None = None,
            near: str = "takes", opt_out: str | os.PathLike[str] | None = None,
            rights_sheet: str | os.PathLike[str] | None = None, progress: Report | None = None) -> dict[str, Any]:
    """What a file, or a folder or archive of music, holds: `inspect_file` or `inspect_folder`, by what `path` is."""
    change = rebarring(input_meter, input_downbeat)
    if Path(path).is_dir() or archive_kind(path):
        return inspect_folder(path, licence=licence, max_notes=max_notes, change=change, workers=workers, near=near,
                              opt_out=opt_out, rights_sheet=rights_sheet, progress=progress)
    if opt_out is not None or rights_sheet is not None:
        raise RequestError(f"an opt-out list and a rights sheet are of a folder or an archive; {path} is neither")
    return inspect_file(path, licence=licence, max_notes=max_notes, change=change)


def inspect_file(path: str | os.PathLike[str], *, licence: str | None = None, max_notes: int = DEFAULT_MAX_NOTES,
                 change: Change | None = None) -> dict[str, Any]:
    """What one file holds: size, meters, tempos, keys said and heard, tracks, features, repairs and notices.

    Notices name the command to type. `change` re-bars the music first (see ``corpus.rebarring``).
    """
    from partimento.formats import frame_notices

    place = Path(path)
    file, score = read_one(place, max_notes)
    if score is None:
        raise ReadError(f"the music must be readable; {place} {_is(file.kind)}: {file.detail}")
    notices = list(file.notices)
    if change is not None:
        before = frame_notices(score)
        score = change(score)
        notices = [notice for notice in notices if notice not in before] + frame_notices(score)
    facts = about.facts_about(place.parent, [place.name], licence)[place.name]
    return {"file": os.fspath(place), "sha256": file.sha256, "licence": facts.licence, **describe(score),
            "repairs": dict(file.repairs), "notices": notices}


def describe(score: Score) -> dict[str, Any]:
    """What a Score holds, JSON-ready; bars are counted as a musician numbers them.

    >>> describe(Score(onset=[0], duration=[480], pitch=[60], velocity=[80], track=[0]))["meters"]
    [{'bar': 1, 'meter': '4/4'}]
    """
    try:
        number, bars = score.bar_number, score.n_bars
    except RequestError:        # a meter that makes more bars than anyone can count
        number, bars = (lambda tick: 0), 0
    heard = hearing(score) if bars else {}
    return {
        "notes": len(score), "bars": bars, "pickup": bool(bars) and score.has_pickup,
        "seconds": round(float(score.seconds(score.end)), 2), "ticks_per_quarter": score.ticks_per_quarter,
        "meters": [{"bar": number(m.tick), "meter": f"{m.numerator}/{m.denominator}"} for m in score.meters],
        "tempos": [{"bar": number(t.tick), "bpm": round(t.bpm, 2)} for t in score.tempos],
        "keys_said": [{"bar": number(key.tick), "key": _key_said(key.fifths, key.mode)} for key in score.keys],
        "key_heard": heard.get("key", {}).get("name") if bars else key_heard(score), "heard": heard,
        "tracks": [_track(score, index, track) for index, track in enumerate(score.tracks)],
        "features": measures(score),
    }


def key_heard(score: Score) -> str | None:
    """The key that is heard, such as ``E minor``; None where too few pitches sound."""
    from partimento import features

    found = features.find_key(score)
    return theory.key_name(*found.key) if found else None


def measures(score: Score, track: int | None = None) -> dict[str, float]:
    """Every control measured on the piece or on one track, by name; what cannot be measured is left out."""
    from partimento.controls import CONTROLS

    found = {name: control.measure(score, track) for name, control in CONTROLS.items()}
    return {name: round(float(value), 4) for name, value in found.items() if value is not None}


def inspect_folder(path: str | os.PathLike[str], *, seed: int = 0, valid_share: float = 0.1,
                   workers: int | None = None, max_notes: int = DEFAULT_MAX_NOTES, licence: str | None = None,
                   change: Change | None = None, near: str = "takes", opt_out: str | os.PathLike[str] | None = None,
                   rights_sheet: str | os.PathLike[str] | None = None,
                   progress: Report | None = None) -> dict[str, Any]:
    """What a folder or archive holds: the corpus with its reasons, the spread of meters, keys, tempos and lengths."""
    corpus = load(path, seed=seed, valid_share=valid_share, workers=workers, max_notes=max_notes, licence=licence,
                  change=change, near=near, opt_out=opt_out, rights_sheet=rights_sheet, progress=progress)
    return {"folder": os.fspath(path), "fingerprint": corpus.fingerprint, **corpus.counts, "notes": corpus.notes,
            "train": len(corpus.train), "valid": len(corpus.valid), "summary": corpus.summary(),
            "skipped_files": [{"file": e.file, "why": e.why, "detail": e.detail} for e in corpus.entries
                              if e.used == "no"],
            "repaired_files": [{"file": e.file, "repairs": dict(e.repairs)} for e in corpus.entries
                               if e.used != "no" and e.repairs],
            "licences": corpus.licences, "unlicensed": corpus.unlicensed, "notices": list(corpus.notices),
            "near_duplicates": [pair._asdict() for pair in corpus.alike], "others": dict(corpus.others),
            **_spread(corpus)}


def _spread(corpus: Corpus) -> dict[str, Any]:

    meters: Counter[str] = Counter()
    said: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    tempos, lengths, sizes, tracks = [], [], [], []
    for piece in chain(corpus.train, corpus.valid):
        score = piece.score
        meters.update({f"{m.numerator}/{m.denominator}" for m in score.meters})
        said.update({_key_said(key.fifths, key.mode) for key in score.keys} or {"not said"})
        parts.update({instrument(score.tracks[index]) for index in np.unique(score.track).tolist()})
        if (name := key_heard(score)) is not None:
            heard[name] += 1
        tempos.append(score.tempos[0].bpm)
        lengths.append(float(score.seconds(score.end)))
        sizes.append(float(len(score)))
        tracks.append(float(len(np.unique(score.track))))
    return {"meters": dict(meters.most_common()), "keys_said": dict(said.most_common()),
            "keys_heard": dict(heard.most_common()), "instruments": dict(parts.most_common()),
            "tempo_bpm": _quantiles(tempos), "seconds": _quantiles(lengths), "notes_a_piece": _quantiles(sizes),
            "tracks_a_piece": _quantiles(tracks)}


def _quantiles(values: list[float]) -> dict[str, float]:
    return {name: round(float(np.quantile(values, share)), 2) for name, share in QUANTILES} if values else {}


def _key_said(fifths: int, mode: str) -> str:
    if mode:
        return theory.key_name(*theory.from_fifths(fifths, mode))
    return f"{abs(fifths)} {'flat' if fifths < 0 else 'sharp'}{'' if abs(fifths) == 1 else 's'}"


def instrument(track: Track) -> str:
    """What plays a track: ``drums``, or the General MIDI name of its program."""
    return "drums" if track.is_drum else theory.INSTRUMENT_NAMES[track.program]


def _track(score: Score, index: int, track: Track) -> dict[str, Any]:
    pitch = score.pitch[score.track == index]
    span = [theory.pitch_name(int(p)) for p in (pitch.min(), pitch.max())] if len(pitch) else []
    return {"name": track.name, "instrument": instrument(track), "notes": len(pitch),
            "range": "" if track.is_drum else "–".join(span), "features": measures(score, index) if len(pitch) else {}}


def _is(kind: str) -> str:
    word = ledger.KINDS[kind][0]
    if word.split()[0] in ("is", "has", "cannot", "crashed", "took"):
        return word
    article = {"exact": "an ", "near": "a "}.get(word.split()[0], "")
    return f"is {article}{word}"


# --- as text ----------------------------------------------------------------------------------------------------

def format_text(found: Mapping[str, Any]) -> str:
    """The text for a terminal of what `inspect_file`, `inspect_folder` or `describe` gave."""
    return ledger.shown(_folder_text(found) if "folder" in found else _file_text(found))


def _file_text(found: Mapping[str, Any]) -> str:
    minutes, seconds = divmod(round(found["seconds"]), 60)
    out = [f"{found['file']}"] if "file" in found else []
    out.append(f"{found['notes']:,} notes, {found['bars']:,} bars{' after a pick-up' if found['pickup'] else ''}, "
               f"{minutes}:{seconds:02d}, {found['ticks_per_quarter']} ticks a quarter")
    out.append("meter: " + _timeline(found["meters"], "meter"))
    out.append("tempo: " + _timeline(found["tempos"], "bpm") + " bpm")
    said = _timeline(found["keys_said"], "key") or "not said"
    out.append(f"key written: {said}")
    out += [line for words in hearing_text(found.get("heard", {})) for line in _wrapped("", [words])]
    if found.get("licence", ledger.NOT_STATED) != ledger.NOT_STATED:
        out.append(f"licence: {found['licence']}")
    rows = [("track", "instrument", "notes", "range")]
    rows += [(" ".join(track["name"].split()) or "(no name)", track["instrument"], f"{track['notes']:,}",
              track["range"]) for track in found["tracks"][:64]]
    out += ["", *_table(rows)]
    if len(found["tracks"]) > 64:
        out.append(f"… and {len(found['tracks']) - 64} more")
    if found["features"]:
        out += ["", *_wrapped("measures: ", (f"{name} {value:g}" for name, value in found["features"].items()))]
    out += [f"repaired: {name} ({count:,})" for name, count in found.get("repairs", {}).items()]
    out += [f"note: {notice}" for notice in found.get("notices", ())]
    return "\n".join(out)


def _folder_text(found: Mapping[str, Any]) -> str:
    out = [found["folder"], *found["summary"].split("\n"), ""]
    for title, name in (("meters", "meters"), ("keys said", "keys_said"), ("keys heard", "keys_heard"),
                        ("instruments", "instruments")):
        table = found[name]
        words = [f"{key} ({count:,})" for key, count in list(table.items())[:SHOWN]]
        more = [f"and {len(table) - SHOWN} more"] if len(table) > SHOWN else []
        out += _wrapped(f"{title}: ", words + more or ["none"])
    rows: list[tuple[str, ...]] = [("", *(name for name, _ in QUANTILES))]
    rows += [(title, *(f"{value:,g}" for value in found[name].values())) for title, name in
             (("tempo (bpm)", "tempo_bpm"), ("seconds", "seconds"), ("notes", "notes_a_piece"),
              ("tracks", "tracks_a_piece"))]
    out += ["", *_table(rows)]
    skipped = found["skipped_files"]
    if skipped:
        out += ["", "skipped:"]
        out += [f"  {entry['file']} {_is(entry['why'])}" + (f" ({entry['detail']})" if entry["detail"] else "")
                for entry in skipped[:40]]
        if len(skipped) > 40:
            out.append(f"  … and {len(skipped) - 40:,} more (--json names all)")
    return "\n".join(out)


def _timeline(entries: list[dict[str, Any]], name: str) -> str:
    """``4/4, 3/4 from bar 9``, shortened where there are many."""
    values = [f"{e[name]:g}" if isinstance(e[name], float) else str(e[name]) for e in entries]
    shown = [value if i == 0 else f"{value} from bar {entries[i]['bar']}" for i, value in enumerate(values[:SHOWN])]
    return ", ".join(shown) + (f", and {len(values) - SHOWN:,} more changes" if len(values) > SHOWN else "")


def _wrapped(head: str, words: Iterable[str]) -> list[str]:
    return textwrap.wrap(head + ", ".join(words), 110, subsequent_indent=" " * len(head), break_long_words=False)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
