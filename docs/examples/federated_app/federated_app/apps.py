"""The apps of a federation for `flwr run`: those of ``python -m victims.federated``, unchanged."""

from victims.federated.deploy import client, server

__all__ = ["client", "server"]
