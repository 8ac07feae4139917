"""Leakage as a test: a pytest fixture that attacks a defense, and baselines that it may not pass.

Nothing is imported here: every pytest run in an environment with leakgauge loads the plugin.
"""
