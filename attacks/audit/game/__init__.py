"""A training with canaries inside."""
