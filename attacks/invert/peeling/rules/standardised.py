"""A convolution whose weight is standardised: of its gradient each row is told but for its mean."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attacks.invert.peeling.rules.contract import Call, reads
from attacks.invert.peeling.rules.convolution import Convolution, convolution
from attacks.invert.peeling.weights import Weights
from victims.gradients.standardise import unit_rows
from victims.models.wide_resnets import StandardisedConv


@dataclass(frozen=True, eq=False)
class Standardised(Convolution):
    """A convolution by gain * u, the rows u of a weight w without their mean, to length 1.

    ``parameter`` is None: w's gradient is not that of what convolves, from which the standardising
    takes the mean of each row and its part along u (Qiao et al. 2019). The part along u is the
    gain's gradient; the mean is lost: of O I k k equations O are missing, one in each row, and it
    is the same in the equations of all input channels, so that these no longer fall apart.

    Attributes:
        trained: names of w and of the gain in the update; None where one is not trained.
        unit: (O, I, k, k) float64, u.
        scale: (O, 1, 1, 1) float64, the gain over the length of w's rows without their mean.
    """

    trained: tuple[str, str] | None
    unit: Tensor
    scale: Tensor

    def centred(self, weights: Weights) -> Tensor | None:
        """(O, I, k, k) float64, the gradient of gain * u without the mean of each row.

        None where some of it is not shown.
        """
        if self.trained is None or not all(map(weights.is_whole, self.trained)):
            return None
        across, along = (weights.gradients[name].double() for name in self.trained)
        found: Tensor = across / self.scale + self.unit * along
        return found


@reads(StandardisedConv)
def standardised(call: Call) -> Standardised:
    """The rule of `victims.models.wide_resnets.StandardisedConv`."""
    module = call.target
    assert isinstance(module, StandardisedConv)
    plain = convolution(call)
    assert isinstance(plain, Convolution)
    unit, length, free = unit_rows(module.weight.detach().double())
    gain = module.gain.detach().double()
    if not bool(free.all()) or not bool((gain != 0).all()):
        raise call.refuse("a standardised weight without length or gain has no rule")
    names = [call.parameters.get(id(p)) for p in (module.weight, module.gain)]
    trained = None if None in names else (str(names[0]), str(names[1]))
    return Standardised(None, unit * gain, plain.geometry, trained, unit, gain * length)
