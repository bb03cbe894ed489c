"""partimento: give it part of a piece, it composes the rest."""

__version__ = "0.1.0"
