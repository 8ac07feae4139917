"""Settings that may be compared, and what they show."""
