"""Private images, a model and a loss in; per-example gradients out."""

from victims.data import Data, load_data
from victims.gradients import Loss, per_example_gradients
from victims.models import load_model, model_names

__all__ = ["Data", "Loss", "load_data", "load_model", "model_names", "per_example_gradients"]
