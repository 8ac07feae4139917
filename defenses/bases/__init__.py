"""What a defense may derive from."""
