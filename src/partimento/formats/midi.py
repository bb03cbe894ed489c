"""Standard MIDI Files at the level of bytes: `parse` reads them, `dumps` writes them, `keep` says what they keep."""

from partimento.formats.midi_keep import keep
from partimento.formats.midi_read import parse
from partimento.formats.midi_write import dumps, riff

SUFFIXES = (".mid", ".midi", ".kar", ".smf", ".rmi")

__all__ = ["SUFFIXES", "dumps", "keep", "parse", "riff"]
