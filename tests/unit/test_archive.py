"""Archives as corpora: what is unpacked, and what is refused in one sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from test_data import midi

from partimento import cli
from partimento.data import archive, cache, files, inspect, load
from partimento.errors import ReadError, WriteError
from partimento.models.base import Progress

SONGS = {"top/a/one.mid": midi(60, 62, 64), "top/a/two.mid": midi(65, 62, 67), "top/b/three.mid": midi(72, 74, 76, 79),
         "top/LICENSE": b"CC0 1.0 Universal", "top/notes.txt": b"words", "top/.hidden.mid": midi(1, 2),
         "top/__MACOSX/x.mid": b"\0", "top/untitled": midi(70, 71), "top/inner.zip": b"PK\3\4"}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes, ".tar.gz": gzip.compress, ".tgz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "cache"))


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            made.addfile(info)
    return out.getvalue()


@pytest.mark.parametrize("suffix", [".zip", *PACKERS])
def test_an_archive_is_a_corpus(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"songs{suffix}"
    place.write_bytes(zipped(SONGS) if suffix == ".zip" else PACKERS[suffix](tarred(SONGS, {"top/l.mid": "a/one.mid"})))
    corpus = load(place, workers=0)
    assert [entry.file for entry in corpus.entries if entry.used != "no"] == ["a/one.mid", "a/two.mid", "b/three.mid"]
    assert {entry.file: entry.why for entry in corpus.entries if entry.why} == {"inner.zip": "zip",
                                                                                "untitled": "unnamed"}
    assert corpus.licences == {"CC0 1.0": 3}
    assert {entry.source for entry in corpus.entries} == {"songs"}
    assert corpus.others == {".txt": 1, "hidden": 2, "no suffix": 1} | ({} if suffix == ".zip" else {"link": 1})
    assert inspect(place)["used"] == 3


def test_a_folder_and_its_archive_give_the_same_split_and_ledger(tmp_path: Path) -> None:
    members = {f"set/s{i}.mid": midi(*(40 + (i * j * 7) % 60 for j in range(1, 9))) for i in range(1, 12)}
    for name, data in members.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "set.zip").write_bytes(zipped(members))
    assert load(tmp_path / "set", workers=0).entries == load(tmp_path / "set.zip", workers=0).entries


def test_archives_in_a_folder_are_looked_into(tmp_path: Path) -> None:
    root = tmp_path / "songs"
    (root / "deep").mkdir(parents=True)
    (root / "LICENSE").write_text("MIT License", "utf-8")
    (root / "deep" / "own.zip").write_bytes(zipped(SONGS))
    (root / "plain.tar.gz").write_bytes(gzip.compress(tarred({"x/y.mid": midi(50, 55, 53), "z.mid": midi(41, 49, 40)})))
    (root / "bad.zip").write_bytes(b"PK\3\4....")
    (root / "song.gz").write_bytes(gzip.compress(midi(1)))
    (root / "other.7z").write_bytes(b"7z\xbc\xaf....")
    (root / "text.zip").write_bytes(b"words")
    corpus = load(root, workers=0)
    used = {entry.file: entry.licence for entry in corpus.entries if entry.used != "no"}
    assert used == {"deep/own.zip/a/one.mid": "CC0 1.0", "deep/own.zip/a/two.mid": "CC0 1.0",
                    "deep/own.zip/b/three.mid": "CC0 1.0", "plain.tar.gz/x/y.mid": "MIT", "plain.tar.gz/z.mid": "MIT"}
    refused = {entry.file: entry.detail for entry in corpus.entries if entry.why == "zip"}
    assert set(refused) == {"bad.zip", "song.gz", "other.7z", "text.zip", "deep/own.zip/inner.zip"}
    assert "damaged" in refused["bad.zip"]
    assert "packed by itself" in refused["song.gz"]
    assert "this is a 7z file" in refused["other.7z"]
    assert all(str(tmp_path) not in detail for detail in refused.values())


def test_it_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "songs.zip"
    place.write_bytes(zipped(SONGS))
    first = archive.unpacked(place)
    seen: list[Progress] = []
    assert archive.unpacked(place, lambda p: bool(seen.append(p)) or True) == first
    assert not seen
    (first.root / "a" / "one.mid").unlink()                     # what is no longer whole is unpacked anew
    assert archive.unpacked(place, lambda p: seen.append(p) or True) == first       # type: ignore[func-returns-value]
    assert seen
    assert (first.root / "a" / "one.mid").is_file()
    assert [path.name for path in (cache.root() / "unpacked").iterdir()] == [first.root.parent.parent.name]


def test_what_was_not_used_for_long_is_cleared(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.zip").write_bytes(zipped({f"{name}.mid": midi(60)}))
    old = archive.unpacked(tmp_path / "old.zip").root
    os.utime(old.parent, (0, 0))
    archive.unpacked(tmp_path / "old.zip")                      # used: kept from here on
    archive.unpacked(tmp_path / "new.zip")
    assert old.is_dir()
    os.utime(old.parent, (0, 0))
    (tmp_path / "third.zip").write_bytes(zipped({"third.mid": midi(61)}))
    archive.unpacked(tmp_path / "third.zip")
    assert not old.exists()


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("name", ["/abs.mid", "../up.mid", "a/../../up.mid", "C:\\x.mid", "..\\up.mid"])
def test_names_that_lead_out_are_refused(tmp_path: Path, make: Callable[[dict[str, bytes]], bytes], name: str) -> None:
    if make is tarred and name.startswith("..\\"):
        pytest.skip("in a tar that is one odd name")
    place = tmp_path / "in" / "evil.bin"
    place.parent.mkdir()
    place.write_bytes(make({"good.mid": midi(60), name: midi(61)}))
    before = sorted(tmp_path.rglob("*.mid"))
    with pytest.raises(ReadError, match="leads out of it"):
        load(place)
    assert sorted(tmp_path.rglob("*.mid")) == before
    assert not list((cache.root() / "unpacked").iterdir())


def test_links_and_special_files_are_left_alone(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.mid")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr(info, "/etc/passwd")
        made.writestr("a.mid", midi(60))
    assert archive.unpacked(tmp_path / "x.zip").others == {"link": 1}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE):
            special = tarfile.TarInfo("s.mid")
            special.type, special.linkname = kind, "/etc/passwd"
            tar.addfile(special)
    (tmp_path / "x.tar").write_bytes(out.getvalue())
    assert archive.unpacked(tmp_path / "x.tar").others == {"link": 2, "special file": 2}


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SAFE_UNPACKED", 1 << 16)
    zeros = {"a.mid": bytes(1 << 20)}
    for suffix, data in ((".zip", zipped(zeros)), (".tar.xz", lzma.compress(tarred(zeros))),
                         (".tar.gz", gzip.compress(tarred({"a.txt": bytes(1 << 20), "b.mid": midi(60)})))):
        (tmp_path / f"bomb{suffix}").write_bytes(data)
        with pytest.raises(ReadError, match="grows beyond"):
            load(tmp_path / f"bomb{suffix}")
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    (tmp_path / "many.zip").write_bytes(zipped({f"{i}.mid": b"" for i in range(3)}))
    with pytest.raises(ReadError, match="at most 2 files"):
        load(tmp_path / "many.zip")
    long = tarfile.TarInfo("a.mid")
    long.pax_headers = {"comment": "x" * 1000}
    head = bytearray(long.tobuf(tarfile.PAX_FORMAT))
    head[124:136] = b"77777777777\0"                             # 8 GiB of words about one file
    head[148:156] = b"%06o\0 " % (sum(head[:148]) + 8 * 32 + sum(head[156:512]))
    (tmp_path / "words.tar.gz").write_bytes(gzip.compress(bytes(head)))
    with pytest.raises(ReadError, match="words about one file"):
        load(tmp_path / "words.tar.gz")
    assert not list((cache.root() / "unpacked").iterdir())


def _encrypted() -> bytes:
    data = bytearray(zipped({"a.mid": midi(60)}))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + at] |= 1
    return bytes(data)


@pytest.mark.parametrize(("name", "data", "words"), [
    ("x.zip", _encrypted(), "encrypted"), ("x.zip", zipped(SONGS)[:-40], "damaged"),
    ("x.zip", zipped(SONGS)[:60] + zipped(SONGS)[70:], "damaged"),
    ("x.tar.gz", gzip.compress(tarred(SONGS))[:300], "damaged"),
    ("x.tar.xz", lzma.compress(tarred(SONGS))[:-50], "damaged"),
    ("x.tar.bz2", bz2.compress(tarred(SONGS))[:-50], "damaged"), ("x.tar", tarred(SONGS)[:700], "damaged"),
    ("x.tar", tarred(SONGS)[:1024], "its end is missing"), ("x.tar", tarred(SONGS).replace(b"ustar", b"xxxxx", 3)
     .replace(b"xxxxx", b"ustar", 2), "its end is missing"),
    ("x.tar.gz", gzip.compress(tarred(SONGS))[:-8] + b"12345678", "damaged"),
    ("x.rar", b"Rar!\x1a\x07", "a rar file"), ("x.tar.zst", b"\x28\xb5\x2f\xfd..", "a zst file"),
    ("x.tar.gz", gzip.compress(b"words" * 200), "packed by itself"), ("x.zip", zipped({}), "no music"),
    ("x.tar", bytes(10240), "no music"), ("x.tar.xz", lzma.compress(bytes(10240)), "no music"),
    ("x.zip", zipped({"a.txt": b"words"}), "no music")], ids=lambda value: "" if isinstance(value, bytes) else value)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes,
                                       words: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert cli.main(["inspect", "--quiet", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    with pytest.raises(ReadError):
        load(tmp_path / name)


def test_names_every_system_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 240 + ".mid"
    (tmp_path / "x.tar").write_bytes(tarred({"d/a.mid": midi(60, 64), "d/A.mid": midi(61, 64), "d/" + long: midi(62)}))
    found = files.find(tmp_path / "x.tar", (".mid",))
    assert len(found.files) == 3
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for pitch in (60, 61):
            info = tarfile.TarInfo("same.mid")
            info.size = len(midi(pitch))
            tar.addfile(info, io.BytesIO(midi(pitch)))
    (tmp_path / "twice.tar").write_bytes(out.getvalue())
    assert files.find(tmp_path / "twice.tar", (".mid",)).files == ("same.mid", "same~2.mid")


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "songs.zip").write_bytes(zipped(SONGS))
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path / "songs.zip", progress=lambda progress: False)
    assert not list((cache.root() / "unpacked").iterdir())


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "songs.zip").write_bytes(zipped(SONGS))
    (tmp_path / "file").write_text("x", "utf-8")
    monkeypatch.setenv("PARTIMENTO_CACHE", str(tmp_path / "file"))
    with pytest.raises(WriteError, match="set PARTIMENTO_CACHE"):
        load(tmp_path / "songs.zip")


def test_a_disk_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "songs.zip").write_bytes(zipped(SONGS))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive._Writer, "_new", full)
    with pytest.raises(WriteError, match=r"room to unpack .* \(No space left on device\)"):
        load(tmp_path / "songs.zip")
    assert not list((cache.root() / "unpacked").iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_named_like_an_archive_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "a.mid").write_bytes(midi(60, 61))
    assert [entry.why for entry in load(tmp_path).entries] == ["", "zip"]


def test_train_from_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                               capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.songs.tar.xz").write_bytes(lzma.compress(tarred(SONGS)))
    assert cli.main(["train", "my.songs.tar.xz", "--model", "random", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"written": "my.songs.partimento"}
    assert {line["stage"] for line in lines if "stage" in line} >= {"unpacking", "reading"}
