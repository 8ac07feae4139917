"""Images from features, by a network that learned it on public images (Dabholkar et al. 2025)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defenses.randomness import seeded

WIDTH, BATCH, RATE = 512, 128, 3e-4


class Decoder(nn.Module):
    """Features (B, d) with an error to images (B, C, H, W) in [0, 1].

    It learned on features with such errors, so that it answers with what is likely given them: the
    mean public image where there is nothing but noise. A ridge regression in closed form (the
    Wiener filter of such errors), and a network for what a linear map cannot tell. After Maui
    (Dabholkar et al. 2025, arXiv 2509.11451), whose decoder sees features without noise.

    Args:
        features: (n, d) of the public images.
        images: (n, C, H, W) in [0, 1], the public images.
        error: standard deviation of the error of every feature.
    """

    def __init__(self, features: Tensor, images: Tensor, error: float) -> None:
        super().__init__()
        self.error, self.shape = error, images.shape[1:]
        self.mean, self.image = features.mean(0), images.flatten(1).mean(0)
        self.scale = (features.var(0) + error**2).sqrt().clamp(min=1e-6)
        pixels = len(self.image)
        self.slopes = _ridge(
            features - self.mean, images.flatten(1) - self.image, len(images) * error**2
        )
        self.layers = nn.Sequential(
            nn.Linear(features.shape[1], WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(),
            nn.Linear(WIDTH, pixels),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """Args: features (B, d), errors included. Returns: (B, C, H, W), not yet in [0, 1]."""
        off = features - self.mean
        change: Tensor = off @ self.slopes + self.layers(off / self.scale)
        found: Tensor = (self.image + change).unflatten(1, self.shape)
        return found


def _ridge(features: Tensor, images: Tensor, penalty: float) -> Tensor:
    """(d, p) slopes of centred images (n, p) on centred features (n, d), by the smaller system."""
    rows, target = features.double(), images.double()
    tall = len(rows) > rows.shape[1]
    square = rows.T @ rows if tall else rows @ rows.T
    square.diagonal().add_(penalty + 1e-6 * float(square.diagonal().mean()))
    if tall:
        found: Tensor = torch.linalg.solve(square, rows.T @ target)
    else:
        found = rows.T @ torch.linalg.solve(square, target)
    return found.float()


def train_decoder(
    features: Tensor, images: Tensor, error: float, steps: int, generator: torch.Generator
) -> Decoder:
    """A decoder that has learned on public images by squared error.

    Args:
        features: (n, d) of the public images.
        images: (n, C, H, W) in [0, 1].
        error: of the features that it will be given.
        steps: of Adam, with a learning rate that falls to 0.
        generator: of weights, batches and errors.
    """
    features = features.float()
    with seeded(generator):
        decoder = Decoder(features, images, error)
    optimizer = torch.optim.Adam(decoder.layers.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    for _ in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        clean = features[chosen]
        noisy = clean + error * torch.randn(clean.shape, generator=generator)
        loss = (decoder(noisy) - images[chosen]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    return decoder
