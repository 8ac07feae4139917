"""Whom do the releases of a private head show, and what did they look like?"""
