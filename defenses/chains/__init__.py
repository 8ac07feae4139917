"""Defenses one after another: ``topk+quantize``."""
