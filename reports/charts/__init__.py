"""Figures that are drawn once for the page and once for paper."""
