"""What a federation takes of Flower, whose telemetry is off; imported where it is needed alone."""

from __future__ import annotations

import os

from defenses import BadInput

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # Flower reads it when it is imported

try:
    from flwr.app import (
        ArrayRecord,
        ConfigRecord,
        Context,
        Error,
        Message,
        MessageType,
        RecordDict,
    )
    from flwr.clientapp import ClientApp
    from flwr.serverapp import Grid, ServerApp
except ImportError as error:
    raise BadInput(
        f"a federation runs on Flower, which cannot be imported ({error}): "
        "pip install 'leakgauge[federated]'"
    ) from error

__all__ = [
    "ArrayRecord",
    "ClientApp",
    "ConfigRecord",
    "Context",
    "Error",
    "Grid",
    "Message",
    "MessageType",
    "RecordDict",
    "ServerApp",
]
