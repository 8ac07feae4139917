"""``python -m victims.reproduce``: published accuracies, run again."""
