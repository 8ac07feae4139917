"""Passes a batch in training mode, also one that chance has made small."""

from __future__ import annotations

from torch import Tensor, nn


def training_logits(net: nn.Module, images: Tensor) -> Tensor:
    """Logits (B, classes) of images (B, ...) as in training.

    A batch of one, which Poisson sampling makes by chance, has no variance over examples: where
    BatchNorm would have one value per channel, its running statistics stand in for the batch's.
    """
    if len(images) > 1:
        logits: Tensor = net(images)
        return logits
    lonely = [m.register_forward_pre_hook(_stand_in) for m in net.modules() if _batchnorm(m)]
    modes = [(m, m.training) for m in net.modules() if _batchnorm(m)]
    try:
        logits = net(images)
    finally:
        for handle in lonely:
            handle.remove()
        for module, mode in modes:
            module.training = mode
    return logits


def _batchnorm(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._BatchNorm)


def _stand_in(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    values = inputs[0]
    if values.numel() == values.shape[1] and getattr(module, "running_mean", None) is not None:
        module.training = False
