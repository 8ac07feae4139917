"""The report, laid out."""
