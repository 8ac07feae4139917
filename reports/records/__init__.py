"""What a run leaves behind: written, found again, checked, told apart."""

from reports.records.files import atomic, pack
from reports.records.record import MEASURED, Record, canonical
from reports.records.store import Partial, read, write

__all__ = ["MEASURED", "Partial", "Record", "atomic", "canonical", "pack", "read", "write"]
