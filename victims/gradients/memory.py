"""Keeps freed memory in the process, which glibc would give back after every large tensor."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3

_kept = False


def keep_memory() -> bool:
    """Let this process reuse the memory of large tensors; returns whether it can.

    By default glibc maps every tensor above 32 MiB anew and unmaps it when it is freed, so that
    each chunk of gradients pays for its page faults: a third of a DP step or more, and of a
    plain one. Commands call this at their start; it concerns the whole process, so a library
    user decides for himself. Elsewhere than on glibc nothing happens.
    """
    global _kept
    if sys.platform == "linux" and not _kept:
        try:
            libc = ctypes.CDLL("libc.so.6")
            _kept = bool(libc.mallopt(M_MMAP_THRESHOLD, 2**30))
            _kept = bool(libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)) and _kept
        except (OSError, AttributeError):  # another C library
            _kept = False
    return _kept


def kept() -> bool:
    """Whether `keep_memory` has taken effect."""
    return _kept


def release_memory() -> None:
    """Give back what is free, kept or not; elsewhere than on glibc nothing happens."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another C library
            return
