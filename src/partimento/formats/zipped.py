"""Music in a zip: the one member of an `.mxl` or `.mscz` file that holds the score, read safely."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import PurePosixPath

from partimento.errors import ReadError
from partimento.formats import xml_safe

CONTAINER = "META-INF/container.xml"
MAX_MEMBERS = 10_000
MAX_CONTAINER_BYTES = 1 << 20
SAFE_UNPACKED = 16 << 20               # below this size no ratio is too good to be true
MAX_UNPACKED_RATIO = 300               # XML shrinks to a sixtieth at most
MAGIC = b"PK\x03\x04"


def score_in(data: bytes, suffixes: tuple[str, ...]) -> bytes:
    """The bytes of the score in a zip: the first that its container names, else the first of those suffixes.

    Bytes that are no zip come back as they are. ReadError, in one sentence, where the zip is damaged or encrypted,
    holds no such file, or would unpack to an absurd size.

    >>> score_in(b"<score-partwise/>", (".xml",))
    b'<score-partwise/>'
    """
    if not data.startswith(b"PK"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _member(archive, _root(archive, suffixes), xml_safe.MAX_XML_BYTES)
    except ReadError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, ValueError, EOFError,
            KeyError, IndexError, ArithmeticError, MemoryError) as error:
        raise ReadError(f"a zip of music must be whole; this one is not ({_short(error) or type(error).__name__})"
                        ) from None


def _root(archive: zipfile.ZipFile, suffixes: tuple[str, ...]) -> str:
    """The name of the member that holds the score."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) > MAX_MEMBERS:
        raise ReadError(f"a zip of music must hold at most {MAX_MEMBERS} files; this one holds {len(names)}")
    if CONTAINER in names:
        try:
            container = xml_safe.tree(_member(archive, CONTAINER, MAX_CONTAINER_BYTES))
            said = [root.get("full-path", "") for root in container.iter("rootfile")]
        except ReadError:
            said = []
        for name in said:
            if name in names and PurePosixPath(name).suffix.lower() in suffixes:
                return name
    for name in names:
        path = PurePosixPath(name)
        if path.suffix.lower() in suffixes and path.parts[0] not in ("META-INF", "__MACOSX") and path.name[0] != ".":
            return name
    held = ", ".join(map(_short, names[:3])) + (" …" if len(names) > 3 else "")
    raise ReadError(f"a zip of music must hold a file {' or '.join(suffixes)}; this one holds {held or 'nothing'}")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise ReadError("a zip of music must be open to all; this one is encrypted")
    swollen = info.file_size > SAFE_UNPACKED and info.file_size > MAX_UNPACKED_RATIO * info.compress_size
    if info.file_size > limit or swollen:
        raise ReadError(f"a zip of music must unpack to a sane size; {_short(name)} says that "
                        f"{info.compress_size:,} bytes become {info.file_size:,}")
    with archive.open(info) as file:
        unpacked = file.read(limit + 1)
    if len(unpacked) > limit:
        raise ReadError(f"a zip of music must unpack to a sane size; {_short(name)} has more than {limit:,} bytes")
    return unpacked


def _short(said: object) -> str:
    """The beginning of a name or reason that comes from the file, on one line."""
    return " ".join(str(said).split())[:60]
