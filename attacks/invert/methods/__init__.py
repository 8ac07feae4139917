"""The registered inversion attacks, one a file; importing them registers them."""

from attacks.invert.methods import (
    analytic,
    auto,
    bayes,
    dlg,
    geiping,
    imprint,
    lti,
    peel,
    prior,
    sme,
    spear,
)

__all__ = [
    "analytic",
    "auto",
    "bayes",
    "dlg",
    "geiping",
    "imprint",
    "lti",
    "peel",
    "prior",
    "sme",
    "spear",
]
