"""The bar lines and decorations of ABC, and what they say in the terms of a Score."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# The letters that stand for decorations where no U: says otherwise (ABC 2.1, 4.14 and 4.16, and abcm2ps).
SHORT = {".": "staccato", "~": "roll", "H": "fermata", "J": "slide", "L": "accent", "M": "lowermordent", "O": "coda",
         "P": "uppermordent", "R": "roll", "S": "segno", "T": "trill", "u": "upbow", "v": "downbow"}
DYNAMICS = frozenset(("pppp", "ppp", "pp", "p", "mp", "mf", "f", "ff", "fff", "ffff", "sf", "sfz", "fp", "fz", "rfz",
                      "sffz", "sfp"))
JUMPS = {"segno": "segno", "coda": "coda?", "D.C.": "da capo", "dacapo": "da capo", "D.S.": "dal segno",
         "dalsegno": "dal segno", "fine": "fine", "dacoda": "da capo al coda", "D.C.alcoda": "da capo al coda",
         "D.S.alcoda": "dal segno al coda", "D.C.alfine": "da capo al fine", "D.S.alfine": "dal segno al fine",
         "tocoda": "to coda"}
JUMP_SIGNS = {"fine": "fine", "da capo": "D.C.", "dal segno": "D.S.", "da capo al fine": "D.C.alfine",
              "dal segno al fine": "D.S.alfine", "da capo al coda": "D.C.alcoda", "dal segno al coda": "D.S.alcoda",
              "to coda": "To Coda"}
_STRONG = {"": 0, "none": 1, "dashed": 2, "double": 3, "final": 4}


class Sign(NamedTuple):
    """A bar line: times that the bars before it are played (0: once), whether a repeat begins after it, its look."""

    end: int = 0
    start: bool = False
    look: str = ""

    def with_(self, other: Sign) -> Sign:
        """This bar line and another one beside it as one."""
        look = max(self.look, other.look, key=_STRONG.__getitem__)
        return Sign(max(self.end, other.end), self.start or other.start, look)

    @property
    def closes(self) -> bool:
        """Whether an ending ends here."""
        return bool(self.end or self.start or self.look in ("double", "final", "none"))


@lru_cache(maxsize=256)
def sign_of(text: str) -> Sign:
    """Return what a bar line says.

    >>> sign_of(":|"), sign_of("::")[:2], sign_of("|]").look, sign_of("::|").end
    (Sign(end=2, start=False, look=''), (2, True), 'final', 3)
    """
    dotted = text.startswith(".")
    text = text.lstrip(".")
    if not text:
        return Sign()
    if "|" not in text:
        return Sign(max(2, len(text) // 2 + 1), len(text) > 1)
    before, after = len(text) - len(text.lstrip(":")), text.lstrip(":").count(":")
    lines = text.strip(":")
    look = ""
    if not before and not after:
        look = "none" if lines == "[|]" else "final" if lines.endswith("|]") else "dashed" if dotted else \
            "double" if "||" in lines or lines.startswith("[|") else ""
    return Sign(before + 1 if before else 0, bool(after), look)


_ANNOTATIONS = ((r"d\.? ?c\.?|da capo", "da capo"), (r"d\.? ?s\.?|dal segno", "dal segno"))


def annotation_of(text: str) -> str:
    """Return the sign that words over the staff stand for; empty where they are only words.

    >>> annotation_of("D.C. al Fine"), annotation_of("Fine"), annotation_of("dolce")
    ('da capo al fine', 'fine', '')
    """
    said = " ".join(text.casefold().split()).strip("()")
    if re.fullmatch(r"fine\.?", said):
        return "fine"
    if re.fullmatch(r"to coda|al coda", said):
        return "to coda"
    if said in ("segno", "coda"):
        return said
    for pattern, sign in _ANNOTATIONS:
        found = re.fullmatch(rf"(?:{pattern})(?: (al|alla|a la) (fine|coda)\.?)?", said)
        if found:
            return f"{sign} al {found[2]}" if found[2] else sign
    return ""
