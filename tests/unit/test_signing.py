"""Signatures under records: made with a key of the user's own, checked by an independent reading of RFC 8032."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from partimento import formats, output, provenance, verbs
from partimento.cli.provenance import provenance_group
from partimento.errors import ReadError, RequestError, WriteError
from partimento.provenance.record import Signature
from partimento.testing import song

cryptography = pytest.importorskip("cryptography", reason="signatures need the extra sign")


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Path, Path]:
    return provenance.make_key(tmp_path_factory.mktemp("keys") / "mine")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> tuple[Path, Path]:
    return provenance.make_key(tmp_path_factory.mktemp("keys") / "theirs.key")


@pytest.fixture
def signed(tmp_path, keys) -> Path:
    return signed_in(tmp_path, keys)


@pytest.fixture(scope="module")
def standing(tmp_path_factory, keys) -> Path:
    return signed_in(tmp_path_factory.mktemp("standing"), keys)


def signed_in(folder: Path, keys: tuple[Path, Path]) -> Path:
    result = verbs.compose(model="random", bars=4, tracks="flute,piano", seed=7)
    return output.write(result, folder / "a.mid", makes=["mid", "musicxml"], key=keys[0])[0]


# --- an Ed25519 of another hand: RFC 8032, section 5.1, in whole numbers ---------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = a, b
    both = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + both, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - both, -1, P) % P


def times(n: int, point: tuple[int, int]) -> tuple[int, int]:
    out = (0, 1)
    for bit in bin(n)[2:]:
        out = add(out, out)
        out = add(out, point) if bit == "1" else out
    return out


def point(data: bytes) -> tuple[int, int]:
    number = int.from_bytes(data, "little")
    y, odd = number % 2**255, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return (x if x & 1 == odd else P - x), y


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def holds(key: bytes, message: bytes, signature: bytes) -> bool:
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return s < ORDER and times(s, BASE) == add(point(signature[:32]), times(k, point(key)))


def test_the_other_hand_knows_the_vector_of_the_rfc():
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                              "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    assert holds(key, b"\x72", signature)
    assert not holds(key, b"\x73", signature)


def test_a_signature_is_plain_ed25519_over_the_json_of_the_record(signed, keys):
    plain = json.loads(provenance.sidecar_of(signed).read_text(encoding="utf-8"))
    said = plain.pop("signature")
    sha = plain.pop("sha256")
    message = b"partimento provenance\n" + json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(message).hexdigest() == sha
    assert holds(bytes.fromhex(said["key"]), message, bytes.fromhex(said["signature"]))
    assert not holds(bytes.fromhex(said["key"]), message + b" ", bytes.fromhex(said["signature"]))
    assert said["key"] == provenance.key_of(keys[1]) == provenance.key_of(keys[0])
    assert plain["kept"]["midi"]["content"]
    assert set(plain["kept"]["midi"]["cells"][0]) == {"1", "2", "3", "4"}


# --- keys ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="modes of files are those of POSIX")
def test_a_private_key_is_for_its_owner_alone_from_its_first_moment(tmp_path):
    before = os.umask(0)
    try:
        private, public = provenance.make_key(tmp_path / "new" / "mine")
    finally:
        os.umask(before)
    assert [p.name for p in (private, public)] == ["mine.key", "mine.pub"]
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert b"PRIVATE" not in public.read_bytes()


def test_a_key_is_never_overwritten(tmp_path):
    private, public = provenance.make_key(tmp_path / "mine")
    data = private.read_bytes(), public.read_bytes()
    for name in ("mine", "mine.key"):
        with pytest.raises(WriteError, match="a key must be a new file"):
            provenance.make_key(tmp_path / name)
    private.unlink()
    with pytest.raises(WriteError, match=r"mine\.pub: a key must be a new file"):
        provenance.make_key(tmp_path / "mine")
    assert public.read_bytes() == data[1]
    assert [p.name for p in tmp_path.iterdir()] == ["mine.pub"]


def test_a_locked_key_needs_its_password(tmp_path, signed):
    private, _ = provenance.make_key(tmp_path / "locked", password="büro")
    assert provenance.is_locked(private)
    record = provenance.found_record(signed)
    assert provenance.signature_holds(provenance.sign_record(record, private, password="büro"))
    for word, said in ((None, "its password must be given"), ("buero", "the password is wrong")):
        with pytest.raises(ReadError, match=said):
            provenance.sign_record(record, private, password=word)
    done = CliRunner().invoke(provenance_group, ["sign", str(signed), "--key", str(private)], input="büro\n")
    assert done.exit_code == 0
    assert provenance.verify(signed, key=private.with_suffix(".pub")).state == "valid"


def test_what_is_no_key_is_refused_in_a_sentence(tmp_path, signed, keys):
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ec

    record = provenance.found_record(signed)
    strange = ec.generate_private_key(ec.SECP256R1())
    plain = strange.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
    shown = strange.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)
    good = keys[0].read_bytes()
    for number, (data, said) in enumerate(((b"", "no PEM file"), (signed.read_bytes(), "no PEM file"),
                                           (b"x" * 100_000, "no PEM file"), (plain, "another kind"),
                                           (good[:60], "this is none"), (good.replace(b"M", b"N"), "this is none"),
                                           (keys[1].read_bytes(), "the public one"), (shown, "the public one"))):
        path = tmp_path / f"{number}.key"
        path.write_bytes(data)
        with pytest.raises(ReadError, match=f"a key must be a PEM file of an Ed25519 key.*{said}"):
            provenance.sign_record(record, path)
    path.write_bytes(shown)
    with pytest.raises(ReadError, match="another kind"):
        provenance.verify(signed, key=path)
    path.write_bytes(keys[1].read_bytes()[:50])
    with pytest.raises(ReadError, match="this is none"):
        provenance.verify(signed, key=path)
    with pytest.raises(ReadError, match="there is no such file"):
        output.write(verbs.compose(model="random", bars=1, seed=1), tmp_path / "new" / "a.mid", key=tmp_path / "no.key")
    assert not (tmp_path / "new").exists()


def test_without_the_extra_a_sentence_says_what_to_install(signed, keys, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for call in (lambda: provenance.make_key(signed.parent / "k"), lambda: provenance.verify(signed),
                 lambda: provenance.sign(signed, keys[0])):
        with pytest.raises(RequestError, match=r'signatures need .*: pip install "partimento\[sign\]"'):
            call()
    assert not (signed.parent / "k.key").exists()
    path = output.write(verbs.compose(model="random", bars=1, seed=1), signed.parent / "b.mid")[0]
    assert provenance.verify(path).state == "unsigned"


# --- signed files --------------------------------------------------------------------------------------------------


def test_signed_unchanged_changed_and_by_another_key(signed, keys, other):
    for path in (signed, signed.with_suffix(".musicxml")):
        found = provenance.verify(path, key=keys[1])
        assert (found.state, found.ok, found.said) == ("valid", True, "valid: unchanged, and signed by that key")
        assert provenance.verify(path).ok
        found = provenance.verify(path, key=other[1])
        assert (found.state, found.ok) == ("another key", False)
        assert found.key == provenance.key_of(keys[1])
    score = formats.read(signed)
    pitch = score.pitch.copy()
    last = int((score.onset < score.bar_span(3)[1]).nonzero()[0][-1])
    pitch[last] ^= 1
    formats.write(score.replace(pitch=pitch), signed)
    found = provenance.verify(signed, key=keys[1])
    assert found.state == "changed"
    assert list(found.changes.bars.values()) == [(score.bar_number(int(score.onset[last])),)]
    with pytest.raises(RequestError, match="must be as it was recorded to be signed; changed: bar"):
        provenance.sign(signed, keys[0])


def test_signing_leaves_the_music_and_what_is_recorded_as_they_are(tmp_path, keys):
    result = verbs.compose(model="random", bars=2, seed=7)
    path = output.write(result, tmp_path / "a.mid")[0]
    before, music = provenance.found_record(path), path.read_bytes()
    assert provenance.verify(path, key=keys[1]).state == "unsigned"
    assert not provenance.verify(path, key=keys[1]).ok
    text = provenance.sign(path, keys[0]).read_bytes()
    after = provenance.found_record(path)
    assert path.read_bytes() == music
    assert after.message() == before.message()
    assert provenance.sign(path, keys[0]).read_bytes() == text
    assert provenance.request_of(provenance.sidecar_of(path)) == result[0].request
    again = output.write(result, tmp_path / "b" / "a.mid", key=keys[0])[0]
    assert provenance.sidecar_of(again).read_bytes() == text


def test_a_signature_stays_where_the_same_is_written_again(tmp_path, keys):
    result = verbs.compose(model="random", bars=2, seed=7)
    path = output.write(result, tmp_path / "a.mid", key=keys[0])[0]
    output.write(result, path)
    assert provenance.verify(path, key=keys[1]).state == "valid"
    output.write(result, path, makes=["abc"])           # says more than was signed
    assert provenance.verify(path, key=keys[1]).state == "unsigned"
    output.write(result, path, key=keys[0])
    assert [provenance.verify(file, key=keys[1]).state for file in (path, path.with_suffix(".abc"))] == ["valid"] * 2


def test_a_record_inside_is_signed_too(tmp_path, keys):
    result = verbs.compose(model="random", bars=2, seed=7)
    path = output.write(result, tmp_path / "a.mid", inside=True, provenance=False, key=keys[0])[0]
    assert provenance.verify(path, key=keys[1]).state == "valid"
    path = output.write(result, tmp_path / "b.musicxml", inside=True, provenance=False)[0]
    assert provenance.verify(path).state == "unsigned"
    provenance.sign(path, keys[0])
    assert provenance.verify(path, key=keys[1]).state == "valid"
    with pytest.raises(RequestError, match="a key signs records"):
        output.write(result, tmp_path / "c.mid", provenance=False, key=keys[0])


@settings(max_examples=250, deadline=None)
@given(at=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_any_byte_of_a_record_that_flips_is_found(standing, keys, at, mask):
    """A flipped byte leaves the very same record (a space, say), or it is found: nothing passes as valid."""
    record, flipped = provenance.found_record(standing), bytearray(provenance.sidecar_of(standing).read_bytes())
    flipped[at % len(flipped)] ^= mask
    place = standing.with_name("flipped.provenance.json")
    place.write_bytes(flipped)
    try:
        found = provenance.verify(standing, sidecar=place, key=keys[1])
    except ReadError:
        return
    assert found.state == "valid" if found.record == record else found.state in ("edited record", "another key")


def test_every_byte_of_a_signature_counts(signed, keys):
    record = provenance.found_record(signed)
    for field, size in (("key", 64), ("signature", 128)):
        text = getattr(record.signature, field)
        assert len(text) == size
        for at in range(size):
            digit = "0123456789abcdef"[(int(text[at], 16) + 1) % 16]
            forged = record.signature._replace(**{field: text[:at] + digit + text[at + 1:]})
            assert not provenance.signature_holds(record.replace(signature=forged)), (field, at)
    for bad in (Signature("", ""), Signature(record.signature.key.upper(), record.signature.signature),
                Signature(record.signature.key, record.signature.signature + "00"), Signature("é" * 64, "zz" * 64)):
        assert not provenance.signature_holds(record.replace(signature=bad))


def test_a_record_that_was_edited_is_told_even_with_a_new_sha256(signed, keys, other):
    place = provenance.sidecar_of(signed)
    record = provenance.read_record(place)
    changed = record.request.replace(seed=8)
    assert provenance.write_record(dataclass_with(record, request=changed), place)
    found = provenance.verify(signed)
    assert (found.state, found.ok) == ("edited record", False)
    assert "its sha256 is not that of its content" in found.said
    with pytest.raises(RequestError, match="edited"):
        provenance.sign(signed, keys[0])
    with pytest.raises(RequestError, match="must be as it was written to be signed"):
        provenance.sign_record(provenance.read_record(place), keys[0])
    patched = record.replace(request=changed, signature=record.signature)
    assert patched.whole
    provenance.write_record(patched, place)
    found = provenance.verify(signed)
    assert (found.state, found.said) == ("edited record",
                                         "edited record: the signature under it is not over what it says")
    provenance.write_record(provenance.sign_record(patched, other[0]), place)
    assert provenance.verify(signed, key=keys[1]).state == "another key"


def dataclass_with(record, **changes):
    """A record with other content under the old sha256 and the old signature."""
    return record.replace(**changes, sha256=record.sha256, signature=record.signature)


# --- the command line ----------------------------------------------------------------------------------------------


def test_a_key_a_signature_and_its_check_from_a_shell(tmp_path):
    run = CliRunner().invoke
    path = output.write(verbs.vary(song(1), strength=0.3, model="random", seed=1), tmp_path / "a.mid")[0]
    made = run(provenance_group, ["key", "-o", str(tmp_path / "me")])
    assert made.output.splitlines() == [str(tmp_path / "me.key"), str(tmp_path / "me.pub")]
    done = run(provenance_group, ["sign", str(path), "--key", str(tmp_path / "me.key")])
    assert done.output.splitlines() == [str(tmp_path / "a.provenance.json")]
    good = run(provenance_group, ["verify", str(path), "--key", str(tmp_path / "me.pub")])
    assert (good.exit_code, good.output) == (0, f"{path}: valid: unchanged, and signed by that key\n")
    run(provenance_group, ["key", "-o", str(tmp_path / "you")])
    bad = run(provenance_group, ["verify", str(path), "--key", str(tmp_path / "you.pub")])
    assert bad.exit_code == 1
    assert "another key: it is signed by" in bad.output
    locked = run(provenance_group, ["key", "-o", str(tmp_path / "locked"), "--password"], input="one\none\n")
    assert locked.exit_code == 0
    assert provenance.is_locked(tmp_path / "locked.key")
    assert "signed by " in run(provenance_group, ["show", str(path)]).output
