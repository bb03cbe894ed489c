"""The contract suite: the laws that every family of models keeps, as named checks to run on any class.

``check_model(Class)`` runs every law that the class's flags call for and returns their names; a law that is broken
raises an AssertionError that names it. Laws run over many seeds on small music made here; nothing is read or fetched.
"""

from partimento.testing import model_laws, music_laws, rights_laws
from partimento.testing.music import inputs, small_corpus, song
from partimento.testing.suite import CHECKS, Subject, check_model

__all__ = ["CHECKS", "Subject", "check_model", "inputs", "model_laws", "music_laws", "rights_laws", "small_corpus",
           "song"]
