"""Ways to fit a private head, one a file; importing this registers them."""

from victims.transfer.methods import (
    dp_adam,
    dp_fc,
    dp_gd,
    dp_lamb,
    dp_ls,
    dp_newton,
    dp_sgd,
)

__all__ = ["dp_adam", "dp_fc", "dp_gd", "dp_lamb", "dp_ls", "dp_newton", "dp_sgd"]
