"""Where a piece is from: a record of what made it and who made each bar, signed where its owner likes, and checked."""

from partimento.provenance.check import STATES, Checked, sign, verify
from partimento.provenance.hands import found_record, past_of, record_inside, text_inside
from partimento.provenance.making import (
    attributed,
    inside_of,
    joined,
    maker_of,
    music_of,
    record_of,
    recorded_so,
    replayed,
    request_of,
    taught_by,
    text_of,
)
from partimento.provenance.record import SIDECAR, Record, is_sidecar, read_record, sidecar_of, write_record
from partimento.provenance.shown import record_text
from partimento.provenance.signing import is_locked, key_of, make_key, sign_record, signature_holds

__all__ = ["SIDECAR", "STATES", "Checked", "Record", "attributed", "found_record", "inside_of", "is_locked",
           "is_sidecar", "joined", "key_of", "make_key", "maker_of", "music_of", "past_of", "read_record",
           "record_inside", "record_of", "record_text", "recorded_so", "replayed", "request_of", "sidecar_of", "sign",
           "sign_record", "signature_holds", "taught_by", "text_inside", "text_of", "verify", "write_record"]
