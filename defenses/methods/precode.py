"""PRECODE (Scheliga, Mäder and Seeland 2022, WACV, arXiv 2108.04725)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from defenses.bases.before import Before
from defenses.contract import Release, registry
from defenses.errors import BadInput
from defenses.methods.precode_bottleneck import Bottleneck
from defenses.options import option
from defenses.randomness import seeded


@registry.register("precode")
@dataclass(frozen=True)
class Precode(Before):
    """A variational `Bottleneck` in front of the model's last linear layer; the mean gradient.

    The code is drawn anew for every example, so that an optimiser that does not know the draw
    has no gradient to match. Accuracy is measured, and membership asked for, at the mean code.

    Guarantee: none. Known attack: the bottleneck's own gradients give the draw away, and with it
    the protection. Of one example, a linear layer's weight gradient is slope times input and its
    bias gradient the slope (Phong et al. 2018), so the encoder's tell the features, the
    decoder's the code, and what lies between is the draw. From then on the model is an ordinary
    one, and the layers in front of the bottleneck are matched (Scheliga, Mäder and Seeland
    2022, arXiv 2208.04767, match them without the draw). In a batch of several examples the
    layers give only sums: there the adversary keeps the draws at their mean, and that nothing is
    rebuilt then is no evidence of protection.
    """

    code: int = option(256, "size of the random code", low=1)
    divergence: float = option(1e-3, "weight of the code's divergence from N(0, 1) in bits", low=0)

    def equip(self, model: nn.Module, generator: torch.Generator) -> nn.Module:
        """See `Before.equip`.

        Raises:
            BadInput: the model has no linear layer, or has the bottleneck already.
        """
        model = copy.deepcopy(model)
        layers = [(k, m) for k, m in model.named_modules() if isinstance(m, nn.Linear)]
        if not layers or any(isinstance(m, Bottleneck) for m in model.modules()):
            what = "has one already" if layers else "has no linear layer to put it before"
            raise BadInput(f"precode: no bottleneck for this model, which {what}")
        name, last = layers[-1]
        with seeded(generator):  # torch's layers start from the global generator
            module = Bottleneck(last.in_features, self.code, self.divergence)
        both = nn.Sequential(module.to(last.weight), last)
        if not name:
            return both
        above, _, own = name.rpartition(".")
        setattr(model.get_submodule(above), own, both)
        return model

    def solve(
        self, model: nn.Module, release: Release, noise: float
    ) -> tuple[nn.Module, frozenset[str]]:
        """See `Before.solve`; the bottleneck's own gradients have told what they know."""
        model = copy.deepcopy(model).eval()
        places = [(k, m) for k, m in model.named_modules() if isinstance(m, Bottleneck)]
        if not places or release.public["batch_size"] != 1:
            return model, frozenset()
        name, module = places[0]
        own = {k: v.double() for k, v in release.update.items()}
        features, _ = fed(own, f"{name}.encoder", noise)
        code, variance = fed(own, f"{name}.decoder", noise)
        with torch.no_grad():
            mean, std = module.code(copy.deepcopy(module.encoder).double()(features))
            # What is known of the draw: N(0, 1) before, the code's error after.
            trust = 1 / (1 + variance / std.square())
            module.draw = (trust * (code - mean) / std).to(module.draw)
        own_names = frozenset(f"{name}.{k}" for k, _ in module.named_parameters())
        # Where it is fed with the pixels, its gradients are the image's best ones.
        first = next(k for k, _ in model.named_parameters())
        return model, frozenset() if first in own_names else own_names


def fed(update: Mapping[str, Tensor], layer: str, noise: float) -> tuple[Tensor, Tensor]:
    """What a linear layer was fed with, by least squares over its rows, and its error's variance.

    Args:
        update: gradient of one example, with ``<layer>.weight`` (M, D) and ``<layer>.bias`` (M,);
            coordinates that are 0 in a weight are not believed to be known.
        layer: name of the linear layer.
        noise: std per coordinate of ``update``.

    Returns:
        (D,) and (D,), inputs and variances; 0 and a large number where nothing is known.
    """
    weight, bias = update[f"{layer}.weight"], update[f"{layer}.bias"]
    seen = weight != 0
    lever = (seen * bias[:, None].square()).sum(0)
    known = (weight * bias[:, None]).sum(0) / lever.clamp(min=1e-300)
    error = noise**2 / lever.clamp(min=1e-300)
    return torch.where(lever > 0, known, 0.0), torch.where(lever > 0, error, 1e12)
