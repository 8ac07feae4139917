"""What the leakage tests of each kind found."""
