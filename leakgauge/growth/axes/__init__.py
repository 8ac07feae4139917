"""What may grow: a file each."""

from leakgauge.growth.axes.batch import BATCH
from leakgauge.growth.axes.canaries import CANARIES
from leakgauge.growth.axes.edge import EDGE
from leakgauge.growth.axes.heads import HEADS
from leakgauge.growth.axes.inverted import INVERTED
from leakgauge.growth.axes.parameters import PARAMETERS
from leakgauge.growth.axes.records import RECORDS
from leakgauge.growth.axes.scenarios import SCENARIOS
from leakgauge.growth.axes.shadows import SHADOWS

AXES = {
    "edge": EDGE,
    "batch": BATCH,
    "parameters": PARAMETERS,
    "inverted": INVERTED,
    "shadows": SHADOWS,
    "heads": HEADS,
    "canaries": CANARIES,
    "records": RECORDS,
    "scenarios": SCENARIOS,
}
"""By the name that a flag has."""

__all__ = ["AXES"]
