"""Faults of one piece, each tied to track and bar, and told only where they lie beyond what real music does."""

from partimento.judge.faults.table import FAULTS, Fault, findings, findings_text, spreads

__all__ = ["FAULTS", "Fault", "findings", "findings_text", "spreads"]
