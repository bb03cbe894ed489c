"""Open sets fetched from a server on loopback: whole, cut and gone on with, moved, changed, or refused."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from test_archive import tarred
from test_data import midi

from partimento import cli, data
from partimento.data import fetch, rights, sets
from partimento.errors import PartimentoError, ReadError, WriteError
from partimento.models.base import Progress

CONTENT = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(256)) * 100     # 800 kB that do not repeat early
TREE = {"repo-1/m/a.mid": midi(60, 64, 62), "repo-1/m/b.mid": midi(50, 57, 52), "repo-1/b_melody.mid": midi(1, 2),
        "repo-1/README.md": b"words", "repo-1/LICENSE": b"MIT License", "repo-1/code.py": b"pass"}


class Server:
    """What the server does, and what it was asked: paths and ranges in order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/set.tar": tarred(TREE), "/big": CONTENT}
        self.asked: list[tuple[str, str | None]] = []
        self.cut: list[int] = []            # bytes after which each of the next answers ends early
        self.ranges, self.says_length, self.mark = True, True, '"one"'
        self.status: list[int] = []         # of the next answers
        self.moved: dict[str, str] = {}
        self.address = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append((self.path, asked))
            if self.path in state.moved:
                self.send_response(302)
                self.send_header("Location", state.moved[self.path])
                self.end_headers()
                return
            whole = state.files.get(self.path)
            status = state.status.pop(0) if state.status else 200 if whole is not None else 404
            if whole is None or status != 200:
                self.send_error(status)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges and \
                self.headers.get("If-Range") == state.mark else 0
            if start >= len(whole) > 0:
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(whole) - 1}/{len(whole)}")
            if state.says_length:
                self.send_header("Content-Length", str(len(whole) - start))
            if state.mark:
                self.send_header("ETag", state.mark)
            self.end_headers()
            self.wfile.write(whole[start:start + state.cut.pop(0)] if state.cut else whole[start:])

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.handle_error = lambda *_: None         # type: ignore[method-assign]   # one that was left early
        state.address = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setenv("PARTIMENTO_STATE", str(tmp_path / "state"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if ".part" in path.name)


def test_a_whole_file(server: Server, tmp_path: Path) -> None:
    seen: list[Progress] = []
    found = fetch.fetch(f"{server.address}/big", tmp_path / "big", report=lambda p: seen.append(p) is None)
    assert found == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert (tmp_path / "big").read_bytes() == CONTENT
    assert not parts(tmp_path)
    assert (seen[-1].done, seen[-1].total) == (800, 800)


def test_a_cut_is_gone_on_from(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000, 100_000]
    fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == CONTENT
    assert server.asked == [("/big", None), ("/big", "bytes=300000-"), ("/big", "bytes=400000-")]


def test_another_call_goes_on_too(server: Server, tmp_path: Path) -> None:
    server.cut = [100_000] * fetch.TRIES
    with pytest.raises(ReadError, match="500,000 bytes are kept: run this again"):
        fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert parts(tmp_path) == ["big.part", "big.part.json"]
    fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == CONTENT
    assert server.asked[-1] == ("/big", "bytes=500000-")


@pytest.mark.parametrize("how", ["no ranges", "no mark", "another mark", "another address"])
def test_it_begins_again_where_it_cannot_go_on(server: Server, tmp_path: Path, how: str) -> None:
    server.cut = [100_000] * fetch.TRIES
    server.mark = "" if how == "no mark" else server.mark
    server.ranges = how != "no ranges"
    with pytest.raises(ReadError, match="ended early"):
        fetch.fetch(f"{server.address}/big", tmp_path / "big")
    server.cut = []
    server.files["/other"] = server.files["/big"] = CONTENT[::-1]
    server.mark = '"two"' if how == "another mark" else server.mark
    fetch.fetch(f"{server.address}/{'other' if how == 'another address' else 'big'}", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == CONTENT[::-1]


def test_no_length_is_no_matter(server: Server, tmp_path: Path) -> None:
    server.says_length = False
    assert fetch.fetch(f"{server.address}/big", tmp_path / "big")[0] == len(CONTENT)


def test_a_server_that_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.status = [503, 429]
    fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert len(server.asked) == 3
    server.status = [500] * fetch.TRIES
    with pytest.raises(ReadError, match="the server says 500"):
        fetch.fetch(f"{server.address}/big", tmp_path / "again")


def test_redirects(server: Server, tmp_path: Path) -> None:
    server.moved = {"/old": "/big", "/loop": "/loop", "/file": "file:///etc/passwd", "/ftp": "ftp://x/y"}
    fetch.fetch(f"{server.address}/old", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == CONTENT
    for name in ("loop", "file", "ftp"):
        with pytest.raises(ReadError):
            fetch.fetch(f"{server.address}/{name}", tmp_path / name)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("size", "sha256"), [(len(CONTENT), "0" * 64), (len(CONTENT) - 1, None), (9_000_000, None)])
def test_what_has_changed_is_refused(server: Server, tmp_path: Path, size: int, sha256: str | None) -> None:
    with pytest.raises(ReadError, match="it has changed"):
        fetch.fetch(f"{server.address}/big", tmp_path / "big", size=size, sha256=sha256)
    assert not list(tmp_path.glob("big*"))


@pytest.mark.parametrize(("address", "words"), [
    ("{server}/none", "404"), ("http://127.0.0.1:1/x", "must answer"), ("file:///etc/passwd", "must begin with http"),
    ("nonsense", "must begin with http"), ("http://", "must answer"), ("http://[::1", "cannot be asked")])
def test_addresses_that_are_none(server: Server, tmp_path: Path, address: str, words: str) -> None:
    with pytest.raises(ReadError, match=words) as caught:
        fetch.fetch(address.replace("{server}", server.address), tmp_path / "x")
    assert "\n" not in str(caught.value)


def test_stopping_keeps_the_part(server: Server, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(f"{server.address}/big", tmp_path / "big", report=lambda progress: progress.done < 300)
    kept = (tmp_path / "big.part").stat().st_size
    assert 0 < kept < len(CONTENT)
    fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert server.asked[-1] == ("/big", f"bytes={kept}-")
    assert (tmp_path / "big").read_bytes() == CONTENT


def test_a_full_disk_is_said_and_the_part_kept(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.cut = [100_000] * fetch.TRIES
    with pytest.raises(ReadError):
        fetch.fetch(f"{server.address}/big", tmp_path / "big")
    (tmp_path / "big.part.json").unlink()
    (tmp_path / "big.part.json").mkdir()                        # nothing can be written there
    with pytest.raises(WriteError, match="make room"):
        fetch.fetch(f"{server.address}/big", tmp_path / "big")
    assert (tmp_path / "big.part").is_file()


# --- sets ---------------------------------------------------------------------------------------------------------

@pytest.fixture
def declare(server: Server, tmp_path: Path) -> Callable[..., Path]:
    def write(**more: Any) -> Path:
        said = {"title": "Songs", "address": f"{server.address}/set.tar", "licence": "CC BY 4.0", "citation": "A. Name",
                "verdict": "ship", "files": ["*.mid"], "without": ["*_melody.mid"], **more}
        place = tmp_path / "sets.json"
        place.write_text(json.dumps({"songs": said}), "utf-8")
        return place
    return write


def test_a_set_comes_with_its_rights(server: Server, tmp_path: Path, declare: Callable[..., Path],
                                     capsys: pytest.CaptureFixture[str]) -> None:
    place = declare()
    out = tmp_path / "out"
    assert cli.main(["data", "get", "songs", "-o", str(out), "--sets", str(place)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["Songs; CC BY 4.0; weights learnt from it may be shipped", "cite: A. Name", str(out / "songs")]
    held = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert held == ["songs/LICENSE", "songs/README.md", "songs/m/a.mid", "songs/m/b.mid", "songs/rights.csv",
                    "songs/set.json"]
    corpus = data.load(out / "songs")
    assert corpus.licences == {"CC BY 4.0": 2}
    assert {entry.source for entry in corpus.entries} == {f"{server.address}/set.tar"}
    assert corpus.notices == ("rights.csv: it says CC BY 4.0 for 2 files where the folder says MIT: the sheet holds",)
    sheet = rights.read(out / "songs" / "rights.csv")
    assert {file: row.sha256 for file, row in sheet.rows.items()} == {
        f"m/{n}.mid": hashlib.sha256(TREE[f"repo-1/m/{n}.mid"]).hexdigest() for n in "ab"}
    assert sets.get("songs", out, sets=place) == out / "songs"          # it stands there: nothing is fetched
    assert len(server.asked) == 1


def test_the_first_fetch_is_written_down(server: Server, tmp_path: Path, declare: Callable[..., Path],
                                         capsys: pytest.CaptureFixture[str]) -> None:
    place = declare()
    sets.get("songs", tmp_path / "one", sets=place)
    whole = server.files["/set.tar"]
    assert cli.main(["data", "list", "--sets", str(place), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["size"], row["sha256"]) == (len(whole), hashlib.sha256(whole).hexdigest())
    server.files["/set.tar"] = tarred({**TREE, "repo-1/m/a.mid": midi(90, 91, 92)})
    with pytest.raises(ReadError, match=r"it has changed, and was not kept \(the first fetch is written down in "):
        sets.get("songs", tmp_path / "two", sets=place)
    assert not list((tmp_path / "two").iterdir())
    server.files["/set.tar"] = whole
    assert sets.get("songs", tmp_path / "two", sets=place).is_dir()
    (tmp_path / "state" / "fetched.json").write_text("[", "utf-8")
    with pytest.raises(ReadError, match="mend it, or take it away"):
        sets.get("songs", tmp_path / "three", sets=place)


def test_a_declared_hash_is_checked_at_once(tmp_path: Path, declare: Callable[..., Path]) -> None:
    with pytest.raises(ReadError, match="it has changed"):
        sets.get("songs", tmp_path / "out", sets=declare(sha256="0" * 64))


@pytest.mark.parametrize(("body", "words"), [
    (b"<html>not found</html>", "an archive must be a zip or a tar"), (tarred(TREE)[:900], "damaged"),
    (tarred({"r/x.txt": b"words"}), "holds none"), (tarred({"../x.mid": midi(60)}), "leads out of it")])
def test_what_is_no_set_leaves_nothing(server: Server, tmp_path: Path, declare: Callable[..., Path], body: bytes,
                                       words: str) -> None:
    server.files["/set.tar"] = body
    with pytest.raises(ReadError, match=words) as caught:
        sets.get("songs", tmp_path / "out", sets=declare())
    assert ".songs" not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "state").exists()


def test_a_place_that_is_taken(tmp_path: Path, declare: Callable[..., Path]) -> None:
    (tmp_path / "songs").mkdir()
    with pytest.raises(WriteError, match="must be free"):
        sets.get("songs", tmp_path, sets=declare())


@pytest.mark.parametrize("said", [
    "x", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"titel": 1}}',
    '{"a": {"title": "", "address": "", "licence": "", "citation": "", "verdict": "no"}}',
    '{"../a": {"title": "", "address": "", "licence": "", "citation": "", "verdict": "ship"}}'])
def test_wrong_declarations_are_one_sentence(tmp_path: Path, said: str) -> None:
    (tmp_path / "s.json").write_text(said, "utf-8")
    with pytest.raises(PartimentoError, match="sets of music must be declared") as caught:
        sets.declared(tmp_path / "s.json")
    assert "\n" not in str(caught.value)


def test_the_sets_that_come_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    known = sets.declared()
    assert len(known) >= 10
    for one in known.values():
        assert one.address.startswith("https://codeload.github.com/")
        assert len(one.address.rpartition("/")[2]) == 40            # a commit
        assert one.licence
        assert one.citation
        assert one.files
    assert cli.main(["data", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(known)
    with pytest.raises(ReadError, match="did you mean 'groove'"):
        sets.get("grove")
