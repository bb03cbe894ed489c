"""MusicXML to pages a musician can read: start of the engraving process, then seconds a page as SVG, PDF and PNG.

    python bench/run.py engrave

Scores are spread evenly over each set. SVG is the whole road: layout by verovio in its own process, text made
outlines; PDF and PNG (150 dpi) are what comes on top of it.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from peers import Missing, Row, attempt, median_seconds, music, seconds, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
SETS = {"songs": ("openscore_lieder", 24), "lead sheets": ("openewld", 24),
        "string quartets": ("openscore_quartets", 3), "orchestra": ("openscore_orchestra", 3)}  # fmt: skip
TARGET = "<= 0.3 s"
EMPTY = (b'<score-partwise><part-list><score-part id="P"><part-name/></score-part></part-list><part id="P"><measure '
         b'number="1"><note><rest measure="yes"/><duration>4</duration></note></measure></part></score-partwise>')


def main(argv: list[str]) -> list[Row]:
    """Return the row of the start and three rows a set."""
    rows = [attempt("start, with the first page", start)]
    for name in SETS:
        try:
            rows += per_page(name)
        except Missing as reason:
            rows.append({"name": name, "skipped": str(reason)})
    return rows


def start() -> Row:
    """Return the seconds until an engraver that was just made has given its first page, a single empty bar."""
    from partimento.errors import WriteError
    from partimento.render import engrave

    try:
        took = median_seconds(lambda: engrave.pages(EMPTY))
    except WriteError as absent:
        raise Missing(str(absent)) from absent
    return {"name": "start, with the first page", "ours": took, "unit": "s", "n": 5}


def per_page(name: str) -> list[Row]:
    """Return the mean seconds a page of one set, in SVG, PDF and PNG."""
    from partimento.errors import WriteError
    from partimento.render import engrave

    folder, count = SETS[name]
    files = sorted(music(folder).rglob("*.mxl"))
    chosen = files[:: max(1, len(files) // count)][:count]
    spent = dict.fromkeys(("svg", "pdf", "png"), 0.0)
    drawn = pictured = 0
    with engrave.Engraver() as engraver:
        try:
            engraver.pages(EMPTY)
        except WriteError as absent:
            raise Missing(str(absent)) from absent
        for path in chosen:
            score = musicxml(path)
            pages: list[str] = []
            spent["svg"] += seconds(lambda: pages.extend(engraver.pages(score)))  # noqa: B023
            spent["pdf"] += seconds(lambda: engrave.pdf(pages))  # noqa: B023
            spent["png"] += seconds(lambda: engrave.png(pages[:4]))  # noqa: B023
            drawn += len(pages)
            pictured += len(pages[:4])
    note = f"{len(chosen)} scores, {drawn} pages"
    return [{"name": f"{name}, {kind} of a page", "ours": took / (pictured if kind == "png" else drawn), "unit": "s",
             "target": TARGET, "n": 1, "note": note} for kind, took in spent.items()]  # fmt: skip


def musicxml(path: Path) -> bytes:
    """Return the score inside a compressed MusicXML file."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("META-INF")]
        return archive.read(next(name for name in names if name.endswith(("xml", "musicxml"))))


if __name__ == "__main__":
    show(main)
