"""A folder or archive of music read whole: each file used, repaired or skipped with its reason, and a ledger."""

from partimento.data.corpus import Corpus, load
from partimento.data.overview import format_text, inspect, inspect_file, inspect_folder

__all__ = ["Corpus", "format_text", "inspect", "inspect_file", "inspect_folder", "load"]
