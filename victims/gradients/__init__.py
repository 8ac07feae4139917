"""Per-example gradients."""

from victims.gradients.local_steps import LocalSteps
from victims.gradients.per_example import (
    chunk_size,
    gradient_chunks,
    per_example_gradients,
    refuse_batch_statistics,
    refuse_batchnorm,
)
from victims.gradients.vmapping import Loss, gradients_at

__all__ = [
    "LocalSteps",
    "Loss",
    "chunk_size",
    "gradient_chunks",
    "gradients_at",
    "per_example_gradients",
    "refuse_batch_statistics",
    "refuse_batchnorm",
]
