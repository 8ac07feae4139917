"""Numbers from logits."""
