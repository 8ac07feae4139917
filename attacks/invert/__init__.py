"""Gradient inversion: private images back from a release.

>>> import defenses, victims
>>> from attacks import invert
>>> from torch.nn.functional import cross_entropy
>>> data = victims.load_data("digits")
>>> images, labels, others = data.images[:1], data.labels[:1], slice(1, 100)
>>> model = victims.load_model("linear", image_shape=(1, 8, 8))
>>> grads = victims.per_example_gradients(model, cross_entropy, images, labels)
>>> draw = defenses.stream(0, "example")
>>> defense = defenses.get("none")
>>> threat = invert.Threat(
...     defense, adaptive=True, image_shape=(1, 8, 8), classes=10, batch_size=1,
...     auxiliary_images=data.images[others], auxiliary_labels=data.labels[others],
... )
>>> release = defense.release(grads, generator=draw)
>>> attack = invert.get("analytic")
>>> guess = attack.reconstruct(model, cross_entropy, release, threat, generator=draw)
>>> bool((guess.images - images).abs().max() < 1e-3)
True
"""

from attacks.invert import methods
from attacks.invert.contract import Guess, Inversion, Loss, Threat, registry
from attacks.invert.matching.labels import recover_labels
from attacks.invert.scenario import Scenario

register = registry.register
"""Class decorator that makes a frozen dataclass known as an attack under a name."""
get = registry.get
"""An attack by name, its fields set by keyword; raises BadInput."""
names = registry.names
"""All known names, sorted, those of other packages' entry points included."""

__all__ = [
    "Guess",
    "Inversion",
    "Loss",
    "Scenario",
    "Threat",
    "get",
    "methods",
    "names",
    "recover_labels",
    "register",
    "registry",
]
