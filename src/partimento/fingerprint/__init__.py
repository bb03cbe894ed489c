"""Melody prints of pieces, and which pieces are melodically the same whatever their key, tempo, page and players."""

from partimento.fingerprint.melodyprint import MelodyPrint, melody_print
from partimento.fingerprint.search import Likeness, likeness, near_duplicates, same_as

__all__ = ["Likeness", "MelodyPrint", "likeness", "melody_print", "near_duplicates", "same_as"]
