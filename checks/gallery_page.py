"""The pages of the gallery: a summary with the worst of each verb, and a page of pieces for each verb."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORST = 5
FLOOR = "random"           # beside which all else looks well: not among the worst
UNREAD = "not yet read"
HEAD = """<!doctype html><meta charset="utf-8"><title>partimento: {title}</title>
<style>body{{font:16px/1.45 sans-serif;margin:2em}}img{{max-width:45em;width:100%;border:1px solid #ccc;display:block}}
li{{margin:1.5em 0}}table{{border-collapse:collapse}}td,th{{padding:.2em .7em;border-bottom:1px solid #ddd;
text-align:left;vertical-align:top}}code{{font-size:85%}}i{{color:#777}}</style><h1>{title}</h1>"""
COLUMNS = ("verb", "family", "pieces", "faults added, in 100 new bars", "of the sources, in 100 bars",
           "pieces with none added", "measures like real", "FMD (real beside real)", "most apart: mean (real)",
           "seconds a piece, one core")
Words = Mapping[str, Mapping[str, str]]
Piece = dict[str, Any]


def write_pages(folder: Path, cells: Sequence[Mapping[str, Any]], words: Words) -> Path:
    """Write the page of every verb and the index, and return that."""
    by_verb: dict[str, list[Piece]] = {}
    for cell in cells:
        for piece in cell["pieces"]:
            by_verb.setdefault(piece["verb"], []).append(piece)
    rows = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in row(cell))}</tr>" for cell in cells)
    index = [HEAD.format(title="gallery"), f"<table><tr>{''.join(f'<th>{name}</th>' for name in COLUMNS)}</tr>{rows}",
             "</table><p>Faults as <code>evaluate</code> tells them of one piece with no reference; added: not in the "
             "source at that place already. Real music beside: other places of sets that taught no model here.</p>"]
    for verb, pieces in by_verb.items():
        first = worst(pieces)
        index.append(f'<h2><a href="{verb}.html">{verb}</a>, {len(pieces)} pieces; the worst by faults a bar:</h2><ul>')
        index += [f'<li><a href="{verb}.html#{name(piece)}">{name(piece)}</a> ({added(piece)} faults): '
                  f"{sentence(piece, words)}</li>" for piece in first]
        index.append("</ul>")
        rest = [piece for piece in pieces if piece not in first]
        page = [HEAD.format(title=verb), "<ul>", *(entry(piece, words) for piece in (*first, *rest)), "</ul>"]
        (folder / f"{verb}.html").write_text("\n".join(page), encoding="utf-8")
    place = folder / "index.html"
    place.write_text("\n".join(index), encoding="utf-8")
    return place


def name(piece: Piece) -> str:
    """Return the key of a piece: ``verb/family/seed``."""
    return f"{piece['verb']}/{piece['family']}/{piece['seed']}"


def added(piece: Piece) -> int:
    """Return how many faults the new notes brought; of music that was read, all."""
    return sum(fault["added"] or piece["verb"] == "read" for fault in piece.get("faults", []))


def worst(pieces: Sequence[Piece]) -> list[Piece]:
    """Return those that could not be made, and the five with most faults a new bar, random pieces aside."""
    failed = [piece for piece in pieces if "error" in piece]
    made = [piece for piece in pieces if "error" not in piece and piece["family"] != FLOOR and added(piece)]
    bars = {name(piece): piece["new_bars"] or piece["bars"] for piece in made}
    return [*failed, *sorted(made, key=lambda piece: -added(piece) / bars[name(piece)])[:WORST]]


def sentence(piece: Piece, words: Words) -> str:
    """Return what a reader said of these notes, or that nobody read them yet."""
    said = words.get(name(piece), {})
    return html.escape(said["says"] if said and said.get("notes") == piece.get("hash") else UNREAD)


def row(cell: Mapping[str, Any]) -> list[str]:
    """Return the texts of a row of the summary."""
    pieces = cell["pieces"]
    family, verb = pieces[0]["family"], pieces[0]["verb"]
    if verb == "read" or "added" not in cell:
        bars = sum(piece.get("bars", 0) for piece in pieces)
        told = f"{100 * sum(map(added, pieces)) / bars:.1f}" if verb == "read" and bars else ""
        return [verb, family, str(len(pieces)), "", told, "", "", "", "", ""]
    beside = cell["real"]
    far = "{:.1f} ({:.1f}–{:.1f})".format(*beside["frechet"]) if beside.get("frechet") else ""
    like = beside["error"] if "error" in beside else f"{beside['inside']} of {beside['measures']}"
    source = "" if cell["source"] != cell["source"] else f"{cell['source']:.1f}"
    return [verb, family, str(len(pieces)), f"{cell['added']:.1f}", source, f"{100 * cell['none']:.0f} %",
            html.escape(like), far, html.escape("; ".join(beside.get("apart", []))), f"{cell['seconds']:.2f}"]


def entry(piece: Piece, words: Words) -> str:
    """Return what the page shows of a piece."""
    head = f'<li id="{name(piece)}"><b>{name(piece)}</b> {html.escape(piece["about"])}<br>'
    command = f"<code>{html.escape(piece['command'])}</code><br>" if piece["command"] else ""
    if "error" in piece:
        return f"{head}{command}<b>{html.escape(piece['error'])}</b></li>"
    links = " ".join(f'<a href="{file}">{Path(file).name}</a>' for file in map(html.escape, piece["files"]))
    faults = "; ".join(html.escape(fault["text"]) + (" (new)" if fault["added"] and piece["about"] else "")
                       for fault in piece["faults"]) or "no fault found"
    pictures = "".join(f'<img loading="lazy" src="{file}">' for file in map(html.escape, piece["files"])
                       if file.endswith(".png"))
    told = "".join(f"<br>{html.escape(text)}" for text in piece["told"])
    return f"{head}{command}{sentence(piece, words)}<br><i>{faults}{told}</i><br>{links}{pictures}</li>"
