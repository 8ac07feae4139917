"""Private images, a model and a loss in; per-example gradients out.

>>> import victims
>>> from torch.nn.functional import cross_entropy
>>> data = victims.load_data("digits", count=4)
>>> model = victims.load_model("mlp", image_shape=(1, 8, 8), classes=10)
>>> grads = victims.per_example_gradients(model, cross_entropy, data.images, data.labels)
>>> all(len(grads[name]) == 4 for name, _ in model.named_parameters())
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from victims.data import Data, load_data
from victims.gradients import Loss, per_example_gradients
from victims.models import load_model, model_names
from victims.training import Training

if TYPE_CHECKING:
    from victims.optimizer import defend

__all__ = [
    "Data",
    "Loss",
    "Training",
    "defend",
    "load_data",
    "load_model",
    "model_names",
    "per_example_gradients",
]


def __getattr__(name: str) -> Any:
    if name == "defend":  # on demand: Opacus takes seconds to load
        from victims.optimizer import defend

        return defend
    raise AttributeError(f"module 'victims' has no attribute {name!r}")
