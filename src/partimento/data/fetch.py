"""One file fetched over HTTP: what came before a cut is kept beside, gone on from, and checked when it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from partimento import __version__
from partimento.errors import ReadError, WriteError
from partimento.models.base import Progress, Report

TRIES = 5                           # of which each but the first goes on where the one before was cut
PAUSE = 2.0                         # seconds before the second try, twice as many before each further one
SECONDS_OF_SILENCE = 60.0
MAX_FETCHED = 64 << 30
BLOCK = 1 << 18
_LATER = (408, 425, 429, 500, 502, 503, 504)


def fetch(address: str, target: Path, *, size: int | None = None, sha256: str | None = None,
          report: Report | None = None) -> tuple[int, str]:
    """Fetch what is at an address (http or https) into a file, and return its size in bytes and its sha256.

    What has come stands in ``TARGET.part`` until it is whole, and the next call goes on from there where the server
    can; where it cannot, or has another file by now, it begins again. Given `size` and `sha256` must be met. ReadError,
    in one sentence, where the server or what came is not as it must be, WriteError where the disk is not. `report` is
    called with kilobytes; when it returns False, KeyboardInterrupt ends it and the part stays.
    """
    part, words = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")
    why = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            if _go_on(address, part, words, size, report):
                break
            why = "the connection ended early"
        except urllib.error.HTTPError as error:
            with error:
                why = f"the server says {error.code} {error.reason}"
                if error.code == 416:       # there is no more of it than is here, or less
                    if size is not None and _size(part) == size:
                        break
                    part.unlink(missing_ok=True)
                elif error.code not in _LATER:
                    raise ReadError(f"there must be a file to fetch at {address}; {why}") from None
        except (OSError, http.client.HTTPException) as error:       # every failure of the network
            why = str(getattr(error, "reason", "") or error) or type(error).__name__
            if attempt and isinstance(error, urllib.error.URLError):
                raise ReadError(f"the server must answer; {address} does not ({why}): see if there is a network, then "
                                "run this again") from None
        except ValueError as error:
            raise ReadError(f"an address must begin with http:// or https://; {address} cannot be asked ({error})"
                            ) from None
    else:
        raise ReadError(f"the server must send the whole file; {address} did not in {TRIES} tries ({why}), and "
                        f"{_size(part):,} bytes are kept: run this again to go on")
    found = (_size(part), _sha256(part))
    if (size is not None and found[0] != size) or (sha256 is not None and found[1] != sha256):
        _forget(part, words)
        said = " and ".join(filter(None, [f"{size:,} bytes" if size is not None else "",
                                          f"sha256 {sha256[:12]}…" if sha256 else ""]))
        raise ReadError(f"the file at {address} must be the one that was written down, of {said}; what came has "
                        f"{found[0]:,} bytes and sha256 {found[1][:12]}…: it has changed, and was not kept")
    part.replace(target)
    words.unlink(missing_ok=True)
    return found


class _SameRoad(urllib.request.HTTPRedirectHandler):
    """Redirects to http and https alone, and never from https to http."""

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any,
                         newurl: str) -> urllib.request.Request | None:
        kinds = ("https://",) if req.full_url.lower().startswith("https://") else ("https://", "http://")
        if not newurl.lower().startswith(kinds):
            raise ReadError(f"a redirect must stay on {' or '.join(kinds)}; {req.full_url} leads to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _go_on(address: str, part: Path, words: Path, size: int | None, report: Report | None) -> bool:
    """Ask once for what is missing and write it behind what is there; whether it is whole now."""
    if not address.lower().startswith(("http://", "https://")):
        raise ValueError("another kind of address")
    have, mark = _size(part), _mark(words, address)
    request = urllib.request.Request(address, headers={"User-Agent": f"partimento/{__version__}"})
    if have and mark:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", mark)
    with urllib.request.build_opener(_SameRoad).open(request, timeout=SECONDS_OF_SILENCE) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status == 206 and not goes_on:
            part.unlink(missing_ok=True)        # a part that was not asked for: begin again
            return False
        have = have if goes_on else 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        marks = [answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")]
        mark = next((mark for mark in marks if mark and not mark.startswith("W/")), "")     # a weak one proves nothing
        said = json.dumps({"address": address, "mark": mark})
        most = size if size is not None else MAX_FETCHED
        with _disk(part):
            words.write_text(said, encoding="utf-8")
            file = open(part, "ab" if goes_on else "wb")        # noqa: SIM115
        with file:
            while block := answer.read(BLOCK):
                have += len(block)
                if have > most:
                    file.close()
                    _forget(part, words)
                    raise ReadError(f"the file at {address} must have {'' if size is not None else 'at most '}{most:,} "
                                    "bytes; what comes is longer: it has changed")
                with _disk(part):
                    file.write(block)
                    file.flush()
                if report is not None and not report(Progress("fetching, kB", have >> 10, (total or size or 0) >> 10)):
                    raise KeyboardInterrupt
    return total is None or have >= total


def _mark(words: Path, address: str) -> str:
    """What the server called the file of which a part is here; empty where it did not say, or it was another's."""
    try:
        said = json.loads(words.read_text(encoding="utf-8"))
        return str(said["mark"]) if said["address"] == address else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextlib.contextmanager
def _disk(part: Path) -> Iterator[None]:
    """What goes wrong with the disk as a WriteError, so that it is not taken for the network."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{part}: there must be room for what is fetched; it cannot be written "
                         f"({error.strerror or error}), and what came is kept: make room, then run this again"
                         ) from None


def _forget(part: Path, words: Path) -> None:
    part.unlink(missing_ok=True)
    words.unlink(missing_ok=True)


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
