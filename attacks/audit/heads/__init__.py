"""Audits of private heads, by the exact likelihood of all that they release."""
