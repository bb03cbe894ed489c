"""Ed25519 keys that a user owns, and the signatures that they put under records; needs the extra ``sign``."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any

from partimento.errors import ReadError, RequestError, WriteError
from partimento.formats.files import make_folder, read_bytes, write_bytes
from partimento.provenance.record import Record, Signature

PRIVATE, PUBLIC = ".key", ".pub"
MAX_KEY_BYTES = 1 << 16
_NO_KEY = "a key must be a PEM file of an Ed25519 key, as partimento provenance key makes them"


def make_key(path: str | os.PathLike[str], *, password: str | None = None) -> tuple[Path, Path]:
    """Make a pair of keys and return their files: the private one (``NAME.key``, only for its owner) and ``NAME.pub``.

    `path` is NAME, with or without ``.key``. With a `password` the private key is locked with it. WriteError where
    either file is there already: a key is never overwritten.
    """
    backend, kinds = _serialization(), _ed25519()
    place = Path(path)
    private = place if place.suffix == PRIVATE else place.with_name(place.name + PRIVATE)
    public = private.with_suffix(PUBLIC)
    for file in (private, public):
        if os.path.lexists(file):
            raise WriteError(f"{file}: a key must be a new file, for the old one cannot be made again; this one is "
                             "there: choose another name")
    key = kinds.Ed25519PrivateKey.generate()
    lock = backend.BestAvailableEncryption(password.encode()) if password else backend.NoEncryption()
    data = key.private_bytes(backend.Encoding.PEM, backend.PrivateFormat.PKCS8, lock)
    make_folder(private.parent)
    _write_private(private, data)
    write_bytes(public, key.public_key().public_bytes(backend.Encoding.PEM, backend.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a private key that needs a password."""
    return b"ENCRYPTED PRIVATE KEY" in _pem(path)


def sign_record(record: Record, key: str | os.PathLike[str], *, password: str | None = None) -> Record:
    """The record with a signature by the private key in a file; ReadError where that is none or stays locked.

    RequestError for a record that was edited: what is signed must be what was recorded.
    """
    if not record.whole:
        raise RequestError("a record must be as it was written to be signed; this one was edited: its sha256 is not "
                           "that of its content")
    own = _private(key, password)
    return record.replace(signature=Signature(_public_hex(own.public_key()), own.sign(record.message()).hex()))


def signature_holds(record: Record) -> bool:
    """Whether the signature of a record was made by the key that it names, over what the record holds now."""
    if record.signature is None:
        return False
    kinds, exceptions = _ed25519(), importlib.import_module("cryptography.exceptions")
    try:
        key = kinds.Ed25519PublicKey.from_public_bytes(_from_hex(record.signature.key, 32))
        key.verify(_from_hex(record.signature.signature, 64), record.message())
    except (ValueError, exceptions.InvalidSignature):
        return False
    return True


def key_of(path: str | os.PathLike[str], *, password: str | None = None) -> str:
    """The public key in a file (public or private), as the 64 hex digits by which a signature names it."""
    data, backend = _pem(path), _serialization()
    if b"PRIVATE KEY" in data:
        return _public_hex(_private(path, password).public_key())
    try:
        return _public_hex(backend.load_pem_public_key(data))
    except _bad_keys() as error:
        raise ReadError(f"{os.fspath(path)}: {_NO_KEY}; this is none ({_first_line(error)})") from None


# --- the parts ---------------------------------------------------------------------------------------------------


def _private(path: str | os.PathLike[str], password: str | None) -> Any:
    data, backend = _pem(path), _serialization()
    if b"PRIVATE KEY" not in data:
        what = "is the public one: give the private one (.key)" if b"PUBLIC KEY" in data else "is no PEM key"
        raise ReadError(f"{os.fspath(path)}: {_NO_KEY}; this {what}")
    locked = b"ENCRYPTED" in data
    if locked and not password:
        raise ReadError(f"{os.fspath(path)}: this key is locked: its password must be given")
    try:
        key = backend.load_pem_private_key(data, password.encode() if locked and password else None)
    except _bad_keys() as error:
        why = "the password is wrong, or the file is damaged" if locked else f"this is none ({_first_line(error)})"
        raise ReadError(f"{os.fspath(path)}: {_NO_KEY}; {why}") from None
    if not isinstance(key, _ed25519().Ed25519PrivateKey):
        raise ReadError(f"{os.fspath(path)}: {_NO_KEY}; this is a key of another kind")
    return key


def _public_hex(key: Any) -> str:
    if not isinstance(key, _ed25519().Ed25519PublicKey):
        raise ReadError(f"{_NO_KEY}; this is a key of another kind")
    backend = _serialization()
    raw: bytes = key.public_bytes(backend.Encoding.Raw, backend.PublicFormat.Raw)
    return raw.hex()


def _pem(path: str | os.PathLike[str]) -> bytes:
    data = read_bytes(path)
    if len(data) > MAX_KEY_BYTES or b"-----BEGIN" not in data:
        raise ReadError(f"{os.fspath(path)}: {_NO_KEY}; this is no PEM file")
    return data


def _write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, from its first moment on, and that was not there before."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except OSError as error:
        raise WriteError(f"{path}: the key must be a new file that can be written; it cannot ({error.strerror}): "
                         "choose another name") from None
    try:
        with open(handle, "wb") as file:
            file.write(data)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise WriteError(f"{path}: the key must be written whole; it cannot ({error.strerror})") from None


def _from_hex(text: str, size: int) -> bytes:
    """The bytes of hex digits of one spelling; ValueError for any other text."""
    data = bytes.fromhex(text)
    if len(data) != size or data.hex() != text:
        raise ValueError
    return data


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:80]


def _bad_keys() -> tuple[type[BaseException], ...]:
    """What reading a foreign or damaged key raises."""
    return ValueError, TypeError, importlib.import_module("cryptography.exceptions").UnsupportedAlgorithm


def _ed25519() -> Any:
    return _part("hazmat.primitives.asymmetric.ed25519")


def _serialization() -> Any:
    return _part("hazmat.primitives.serialization")


def _part(name: str) -> Any:
    try:
        return importlib.import_module(f"cryptography.{name}")
    except ImportError:
        raise RequestError('signatures need the cryptography package: pip install "partimento[sign]"') from None
