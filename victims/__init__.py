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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from reports.commands.startup import begin

if TYPE_CHECKING:
    from victims.data import Data, load_data
    from victims.gradients import Loss, per_example_gradients
    from victims.models import load_model, model_names
    from victims.optimizer import defend
    from victims.training import Training

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
PLACES = {
    **dict.fromkeys(("Data", "load_data"), "data"),
    **dict.fromkeys(("Loss", "per_example_gradients"), "gradients"),
    **dict.fromkeys(("load_model", "model_names"), "models"),
    "Training": "training",
    "defend": "optimizer",
}
"""Name -> module of this package that has it."""


def __getattr__(name: str) -> Any:
    # On demand: flags are read before torch is imported, and Opacus takes seconds.
    if name in PLACES:
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module 'victims' has no attribute {name!r}")


begin(__name__)
