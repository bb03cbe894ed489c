"""What every offline page is made of: a document that loads nothing, words that cannot break it, files inside it."""

from __future__ import annotations

import base64
from html import escape
from importlib import resources

from partimento.render.roll import DARK

NOTHING_FROM_OUTSIDE = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                        "media-src data: blob:; img-src data:")


def document(title: str, style: str, body: str, script: str = "", classes: str = "pm") -> str:
    """Return a whole HTML page of a title in plain words, a style sheet, a body in HTML and a script.

    It asks browsers to load nothing from anywhere.

    >>> "default-src 'none'" in document("Two pieces", "", "<p>…</p>")
    True
    """
    return "\n".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_FROM_OUTSIDE}">',
        f'<link rel="icon" href="data:,">\n<title>{html_text(title)}</title>',
        f'<style>\n{style}</style>\n</head>\n<body class="{classes}">\n{body}',
        f"<script>\n{script}</script>" if script else "",
        "</body>\n</html>\n",
    ])


def asset(name: str) -> str:
    """Return the text of a style sheet or script that lies beside the pages' modules.

    >>> asset("page.css").startswith(".pm")
    True
    """
    return resources.files("partimento.render").joinpath(name).read_text(encoding="utf-8")


def page_style(*names: str) -> str:
    """Return the style of every page, with the colours of rolls on a dark screen, and that of the named sheets.

    >>> ".f-t0" in page_style()
    True
    """
    dark = "\n".join(f"  .pm .f-{role} {{ fill: {colour}; }}\n  .pm .s-{role} {{ stroke: {colour}; }}"
                     for role, colour in DARK.items())
    sheets = "".join(asset(name) for name in ("page.css", *names))
    return f"{sheets}@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def data_uri(content: bytes, kind: str) -> str:
    """Return bytes of a media type as an address that a page carries inside itself.

    >>> data_uri(b"OggS", "audio/ogg")
    'data:audio/ogg;base64,T2dnUw=='
    """
    return f"data:{html_text(kind)};base64,{base64.b64encode(content).decode('ascii')}"


def html_text(words: object) -> str:
    """Return anything as words that a page shows as they are, whatever markup they hold.

    >>> html_text("<b> & 'c'")
    '&lt;b&gt; &amp; &#x27;c&#x27;'
    """
    return escape(str(words), quote=True)
