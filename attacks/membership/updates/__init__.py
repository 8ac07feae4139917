"""Members of a participant of a federation, by what it uploads round after round."""
