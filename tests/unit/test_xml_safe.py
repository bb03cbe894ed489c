"""XML and zips from anywhere: what is well meant is read, what is not is refused in one sentence."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from partimento.errors import ReadError
from partimento.formats import xml_safe, zipped

XML = (".xml", ".musicxml")


def tags(data: bytes, *cut: str) -> list[str]:
    return ["/".join(element.tag for element in path) for path in xml_safe.elements(data, cut)]


def zip_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


CONTAINER = b'<container><rootfiles><rootfile full-path="%s"/></rootfiles></container>'


# --- XML --------------------------------------------------------------------------------------------------------

def test_elements_come_one_by_one_and_are_taken_out_of_the_tree():
    data = b"<song><head>x</head><part id='a'><bar n='1'><note/></bar><bar n='2'/></part></song>"
    seen = [(path[-1].get("n"), len(path), [child.tag for child in path[0]])
            for path in xml_safe.elements(data, {"bar"})]
    assert seen == [("1", 3, ["head", "part"]), ("2", 3, ["head", "part"]), (None, 1, ["head", "part"])]
    *_, (root,) = xml_safe.elements(data, {"bar"})
    assert list(root[1]) == []


def test_an_element_inside_another_comes_with_it():
    assert tags(b"<a><b><b/></b><b/></a>", "b") == ["a/b", "a/b", "a"]
    assert tags(b"<b><b/></b>", "b") == ["b"]


def test_a_long_file_comes_in_pieces():
    data = b"<a>" + b"<b>text</b>" * 50_000 + b"</a>"
    first = next(xml_safe.elements(data, {"b"}))
    assert first[-1].text == "text"
    assert len(first[0]) < 40_000
    assert len(tags(data, "b")) == 50_001


@pytest.mark.parametrize("data", [
    "<?xml version='1.0'?><!DOCTYPE a PUBLIC '-//X//DTD' 'http://nowhere.invalid/a.dtd'><a><b>é</b></a>".encode(),
    '<?xml version="1.0" encoding="ISO-8859-1"?><a><b>é</b></a>'.encode("latin-1"),
    '<?xml version="1.0" encoding="windows-1252"?><a><b>é</b></a>'.encode("cp1252"),
    '<?xml version="1.0" encoding="UTF-16"?><a><b>é</b></a>'.encode("utf-16"),
    '<?xml version="1.0" encoding="UTF-16"?><a><b>é</b></a>'.encode("utf-16-be").join([b"\xfe\xff", b""]),
    '<?xml version="1.0" encoding="gb18030"?><a><b>é</b></a>'.encode("gb18030"),
    "\ufeff<a><b>é</b></a>".encode(),
    "\n \x0b junk before it <?xml version='1.0' encoding='utf-8'?><a><b>é</b></a>".encode(),
    "<x:a xmlns:x='urn:x'><x:b>é</x:b></x:a>".encode(),
    b"<a><b>&#233;</b></a>",
])
def test_every_encoding_and_a_doctype_are_read(data):
    assert xml_safe.tree(data).findtext("b") == "é"


@pytest.mark.parametrize("inner", [
    "<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;'>",
    "<!ENTITY secret SYSTEM 'file:///etc/passwd'>",
    "<!ENTITY % outside SYSTEM 'http://nowhere.invalid/x.dtd'> %outside;",
])
def test_entities_of_the_file_s_own_are_refused(inner):
    with pytest.raises(ReadError, match="must declare no entities"):
        xml_safe.tree(f"<!DOCTYPE a [{inner}]><a>&lol2;&secret;</a>".encode())


@pytest.mark.parametrize(("data", "said"), [
    (b"", "must be whole and well formed"), (b"   ", "must be whole and well formed"),
    (b"no XML at all", "must be whole and well formed"), (b"<a><b></a>", "must be whole and well formed"),
    (b"<a>", "must be whole and well formed"), (b"<a>&nothing;</a>", "must be whole and well formed"),
    (b"<a>\xff\xff</a>", "must be whole and well formed"), (b"<a/><a/>", "must be whole and well formed"),
    (b"\xff\xfe<", "must be whole and well formed"),
    (b"<?xml version='1.0' encoding='klingon'?><a/>", "encoding of an XML file must be one that is known"),
    (b"<a>" * 200 + b"</a>" * 200, "at most 100 deep"), (b"<a>" * 3_000_000, "at most 100 deep"),
])
def test_what_is_no_xml_gets_one_sentence(data, said):
    with pytest.raises(ReadError, match=said) as caught:
        tags(data, "b")
    assert "\n" not in str(caught.value)


def test_a_file_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(xml_safe, "MAX_XML_BYTES", 100)
    with pytest.raises(ReadError, match="must have at most"):
        xml_safe.tree(b"<a>" + b" " * 100 + b"</a>")


# --- zips -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_the_container_says_which_member_is_the_score(method):
    data = zip_of(("META-INF/container.xml", CONTAINER % b"b.xml"), ("a.xml", b"<a/>"), ("b.xml", b"<b/>"),
                  method=method)
    assert zipped.score_in(data, XML) == b"<b/>"


@pytest.mark.parametrize("container", [b"", b"<container><rootfiles", CONTAINER % b"gone.xml", CONTAINER % b"song.pdf",
                                       b"<container><rootfile full-path='it's.xml'/></container>",
                                       b"<!DOCTYPE c [<!ENTITY x 'y'>]><c/>"])
def test_without_a_container_that_helps_the_first_score_is_read(container):
    data = zip_of(("META-INF/container.xml", container), ("__MACOSX/._a.xml", b"?"), ("song.pdf", b"%PDF"),
                  ("in/A.MusicXML", b"<a/>"), ("b.xml", b"<b/>"))
    assert zipped.score_in(data, XML) == b"<a/>"


def test_other_suffixes_and_what_is_no_zip():
    assert zipped.score_in(zip_of(("x.mscx", b"<m/>"), ("a.xml", b"<a/>")), (".mscx",)) == b"<m/>"
    assert zipped.score_in(b"<a/>", XML) == b"<a/>"


def test_a_zip_without_a_score_says_what_it_holds():
    with pytest.raises(ReadError, match=r"must hold a file \.xml or \.musicxml; this one holds a\.mid"):
        zipped.score_in(zip_of(("a.mid", b"MThd")), XML)
    with pytest.raises(ReadError, match="this one holds nothing"):
        zipped.score_in(zip_of(), XML)


def test_a_damaged_zip_gets_one_sentence():
    whole = zip_of(("a.xml", b"<a>" + bytes(range(256)) * 40 + b"</a>"))
    for at in range(2, len(whole), 37):
        with pytest.raises(ReadError, match="a zip of music must"):
            zipped.score_in(whole[:at], XML)
    body = bytearray(whole)
    body[60] ^= 255
    with pytest.raises(ReadError, match="a zip of music must be whole"):
        zipped.score_in(bytes(body), XML)


def test_an_encrypted_zip_says_so():
    data = bytearray(zip_of(("a.xml", b"<a/>")))
    data[6] |= 1
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(ReadError, match="must be open to all; this one is encrypted"):
        zipped.score_in(bytes(data), XML)


def test_a_zip_bomb_is_refused_before_it_is_unpacked():
    bomb = zip_of(("a.xml", b" " * (40 << 20)))
    with pytest.raises(ReadError, match="unpack to a sane size"):
        zipped.score_in(bomb, XML)


def test_a_size_that_lies_is_not_believed(monkeypatch):
    monkeypatch.setattr(xml_safe, "MAX_XML_BYTES", 1000)
    data = bytearray(zip_of(("a.xml", b" " * 5000)))
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(magic) + offset
        data[at:at + 4] = struct.pack("<I", 10)
    with pytest.raises(ReadError, match="a zip of music must"):
        zipped.score_in(bytes(data), XML)


def test_too_many_members_are_refused(monkeypatch):
    monkeypatch.setattr(zipped, "MAX_MEMBERS", 3)
    with pytest.raises(ReadError, match="at most 3 files; this one holds 4"):
        zipped.score_in(zip_of(*((f"{n}.xml", b"<a/>") for n in range(4))), XML)
