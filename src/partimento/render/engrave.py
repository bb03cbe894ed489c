"""Pages that a musician can read from MusicXML: SVG, PDF and PNG, engraved by verovio in a process of its own.

verovio (LGPL) comes with the extra `scores`. It is only ever loaded in another process, which may die of bad input
without harm to this one; text on the pages is drawn as outlines, so that they look the same everywhere.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence

from partimento.errors import ReadError, RequestError, WriteError
from partimento.render.engrave_child import INSTALL, PAPER
from partimento.render.engrave_pdf import pdf
from partimento.render.png import png_bytes
from partimento.workers import Failed, Message, Worker

__all__ = ["PAPER", "Engraver", "pages", "pdf", "png"]

SECONDS = 300.0


class Engraver:
    """One process that engraves many scores, started at the first; close it, or use it in a ``with`` statement."""

    def __init__(self, task: str = "partimento.render.engrave_child:engrave") -> None:
        self._worker = Worker(task)

    def pages(self, musicxml: bytes, *, paper: str = "A4", landscape: bool = False, scale: float | None = None,
              cropped: bool = False, title: str = "", seconds: float = SECONDS) -> list[str]:
        """Return the SVG of every page, as `pages` does."""
        if paper not in PAPER:
            raise RequestError(f"paper must be one of {', '.join(PAPER)}; got {paper!r}")
        if scale is not None and not 0.2 <= scale <= 3:
            raise RequestError(f"scale must be from 0.2 to 3 (1: a staff 7.2 mm high); got {scale}")
        for package in ("verovio", "fontTools", "brotli"):
            if importlib.util.find_spec(package) is None:
                raise WriteError(f"engraving needs {package}; install it with {INSTALL}")
        answer = self._worker.ask(Message({"pid": os.getpid(), "paper": paper, "landscape": landscape, "scale": scale,
                                           "cropped": cropped, "title": title}, musicxml), seconds)
        if isinstance(answer, Failed):
            detail = "took too long" if answer.why == "slow" else "broke off"
            raise WriteError(f"verovio {detail} on this score ({answer.detail}); no page was engraved")
        if "error" in answer.head:
            raise (ReadError if answer.head.get("reading") else WriteError)(answer.head["error"])
        found, place = [], 0
        for length in answer.head["lengths"]:
            found.append(answer.body[place:place + length].decode("utf-8"))
            place += length
        return found

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> Engraver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pages(musicxml: bytes, *, paper: str = "A4", landscape: bool = False, scale: float | None = None,
          cropped: bool = False, title: str = "", seconds: float = SECONDS) -> list[str]:
    """Return the SVG of every page of a MusicXML score, engraved; for many scores, use one `Engraver`.

    `paper` is ``A4`` or ``letter``; `scale` 1 makes a staff 7.2 mm high, None lets the number of staves decide, so that
    every system fits its page. `cropped` gives one page as large as its music, without header: an example for a
    text. `title` is the metadata's (the header shows what the score itself says). `seconds` is the longest wait.
    ReadError for what is no MusicXML; WriteError where verovio is missing, fails or takes too long.
    """
    with Engraver() as engraver:
        return engraver.pages(musicxml, paper=paper, landscape=landscape, scale=scale, cropped=cropped, title=title,
                              seconds=seconds)


def png(engraved: Sequence[str], *, dpi: int = 150) -> list[bytes]:
    """Return a PNG picture of each engraved page, `dpi` pixels an inch; WriteError where pypdfium2 is missing."""
    if not 20 <= dpi <= 1200:
        raise RequestError(f"dpi must be from 20 to 1200; got {dpi}")
    try:
        import pypdfium2
    except ImportError:
        raise WriteError(f"pictures of pages need pypdfium2; install it with {INSTALL}") from None
    document = pypdfium2.PdfDocument(pdf(engraved))
    try:
        return [png_bytes(document[place].render(scale=dpi / 72, rev_byteorder=True).to_numpy())
                for place in range(len(document))]
    finally:
        document.close()
