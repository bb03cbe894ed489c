"""Formats in and out: MIDI."""
