"""What numbers say, for people who do not read tables."""
