"""XML read safely: no entity of the file's own making, nothing fetched, limits on depth and size."""

from __future__ import annotations

import re
import xml.parsers.expat
from collections.abc import Collection, Iterator
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

from partimento.errors import ReadError

MAX_XML_BYTES = 512 << 20
MAX_DEPTH = 100
_CHUNK = 1 << 18                        # at least; a token that never ends is looked over again with every chunk
_MOST_CHUNKS = 32
_JUNK = 4096                            # bytes before the first element sign that are looked over
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["'][^>]*\?>""")
_NOT_BY_EXPAT = ("shift_jis", "shift-jis", "euc-jp", "iso-2022-jp", "gb2312", "gbk", "gb18030", "big5", "euc-kr")


def elements(data: bytes, cut: Collection[str]) -> Iterator[tuple[Element, ...]]:
    """The elements named in `cut` as soon as each is whole, after the open elements that it stands in, root first.

    An element that was given is taken out of its parent before the next one comes, so that a long file is never in
    memory as a whole; one inside another of `cut` comes with it and not alone. The root comes last, alone, with what
    was not cut. ReadError, in one sentence, where the bytes are not well-formed XML, declare entities, or pass
    the limits on size and depth. Nothing outside the bytes is ever read.

    >>> [path[-1].tag for path in elements(b"<song><bar><note/></bar><bar/></song>", {"bar"})]
    ['bar', 'bar', 'song']
    """
    if len(data) > MAX_XML_BYTES:
        raise ReadError(f"an XML file must have at most {MAX_XML_BYTES >> 20} MiB; this one has {len(data) >> 20}")
    data, encoding = _decodable(data)
    try:
        parser = xml.parsers.expat.ParserCreate(encoding)
        building = _Building(parser, cut)
        chunk = max(_CHUNK, len(data) // _MOST_CHUNKS)
        for at in range(0, len(data), chunk):
            parser.Parse(data[at:at + chunk], False)
            yield from building.given()
        parser.Parse(b"", True)
        yield from building.given()
    except xml.parsers.expat.ExpatError as error:
        raise ReadError(f"a file of XML must be whole and well formed; this one is not: {error}") from None
    except (LookupError, ValueError) as error:
        raise ReadError(f"the encoding of an XML file must be one that is known here; {str(error)[:80]}") from None


def tree(data: bytes) -> Element:
    """The root of a small XML document, whole; ReadError as `elements`.

    >>> tree(b"<a><b>text</b></a>").findtext("b")
    'text'
    """
    return next(iter(elements(data, ())))[-1]


class _Building:
    """What the parser calls: elements are put together, and those asked for are set aside when they end."""

    def __init__(self, parser: Any, cut: Collection[str]) -> None:
        self._open: list[Element] = []
        self._cut = cut
        self._inside = 0                # how deep the outermost open element of `cut` lies, 0 outside
        self._ready: list[tuple[Element, ...]] = []
        self._builder = TreeBuilder()
        self._end = self._builder.end
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._ended
        parser.CharacterDataHandler = self._builder.data
        parser.EntityDeclHandler = _no_entities
        parser.SetParamEntityParsing(xml.parsers.expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        depth = len(self._open)
        if depth >= MAX_DEPTH:
            raise ReadError(f"elements of an XML file must stand at most {MAX_DEPTH} deep in one another")
        self._open.append(self._builder.start(_bare(tag), attributes))
        if tag in self._cut and not self._inside:
            self._inside = depth + 1

    def _ended(self, tag: str) -> None:
        element = self._end(_bare(tag))
        depth = len(self._open)
        if depth == self._inside or depth == 1:
            self._inside = 0
            self._ready.append(tuple(self._open))
            if depth > 1:
                self._open[-2].remove(element)
        self._open.pop()

    def given(self) -> Iterator[tuple[Element, ...]]:
        """What is ready since the last time."""
        ready, self._ready = self._ready, []
        yield from ready


def _bare(tag: str) -> str:
    return tag.rpartition(":")[2] if ":" in tag else tag


def _no_entities(*_: object) -> None:
    raise ReadError("an XML file must declare no entities of its own; this one does, and they are not followed")


def _decodable(data: bytes) -> tuple[bytes, str | None]:
    """The bytes from their first sign on, in an encoding that expat reads; its name where the file does not say it."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:3] == b"\xef\xbb\xbf" or b"\0" in data[:4]:
        return data, None
    start = data.find(b"<", 0, _JUNK)
    data = data[max(start, 0):]
    said = _DECLARED.match(data[:400])
    if said and (name := said[1].decode("ascii").lower()) in _NOT_BY_EXPAT:
        return data[said.end():].decode(name, "replace").encode("utf-8"), "utf-8"
    return data, None


