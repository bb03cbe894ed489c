"""The commands about where a piece is from: show its record, verify it, make a key, sign."""

from __future__ import annotations

import click

from partimento.cli.parts import json_option, say, say_written
from partimento.errors import RequestError


@click.group("provenance")
def provenance_group() -> None:
    """Where a piece is from: its record beside it, signed or not.

    With each piece goes NAME.provenance.json: the program and the kind of machine, the model and what taught it, all
    settings, the piece that was worked on, how original it is, who made each bar, and hashes of every bar. It holds no
    time, and nothing of you or of your machine but its kind. --no-provenance, where pieces are written, leaves it out.
    """


@provenance_group.command("show")
@click.argument("file", type=click.Path())
@json_option
def show_record(file: str, as_json: bool) -> None:
    """What is recorded of FILE (music, or a record): what made it, and who made each bar."""
    from partimento import provenance as room

    record = room.read_record(file) if room.is_sidecar(file) else room.found_record(file)
    if record is None:
        raise RequestError(f"{file}: a piece must have a record to be shown; there is none, neither beside it "
                           f"({room.sidecar_of(file).name}) nor inside it")
    say(record.as_json(), as_json, room.record_text(record))


@provenance_group.command("verify")
@click.argument("file", type=click.Path())
@click.option("--sidecar", metavar="RECORD", help="The record [NAME.provenance.json beside FILE, or the one inside].")
@click.option("--key", metavar="KEY", help="The key that must have signed it (.pub).")
@json_option
@click.pass_context
def verify_file(context: click.Context, file: str, sidecar: str | None, key: str | None, as_json: bool) -> None:
    """Whether FILE is as it was recorded: valid, unsigned, changed (and in which bars) ...

    valid: unchanged, and the signature holds. unsigned: unchanged, but nobody signed. The exit code is 0 for these two
    (with --key for valid alone), else 1: changed, another key, edited record, another piece, no record. Without --key
    a signature only says that whoever has that key signed it: anyone can make a key.
    """
    from partimento import provenance as room

    found = room.verify(file, sidecar=sidecar, key=key)
    say({"file": file, **found.as_dict()}, as_json, f"{file}: {found.said}")
    if not found.ok:
        context.exit(1)


@provenance_group.command("key")
@click.option("-o", "--out", default="partimento", show_default=True, help="Name of the new files NAME.key, NAME.pub.")
@click.option("--password", is_flag=True, help="Ask for a password that locks the private key.")
@json_option
def make_keys(out: str, password: bool, as_json: bool) -> None:
    """A pair of keys to sign with: NAME.key, to be kept to yourself, and NAME.pub, to be given away.

    No key is ever overwritten, and none is sent anywhere.
    """
    from partimento import provenance as room

    word = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True) if password else None
    say_written(room.make_key(out, password=word), as_json)


@provenance_group.command("sign")
@click.argument("file", type=click.Path())
@click.option("--key", required=True, metavar="KEY", help="Your private key (.key).")
@json_option
def sign_file(file: str, key: str, as_json: bool) -> None:
    """The record of FILE signed with your key, beside it; FILE itself stays as it is.

    What is signed is what was recorded, so FILE must be unchanged.
    """
    from partimento import provenance as room

    word = click.prompt(f"Password of {key}", hide_input=True, err=True) if room.is_locked(key) else None
    say_written([room.sign(file, key, password=word)], as_json)
