"""Training batches: drawn, shifted and mirrored by numbers that depend on (seed, epoch, step) alone, so that training
can be taken up at any step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_GREATEST_SHIFT = 4  # pixels, He et al. 2015


@dataclass(frozen=True, eq=False)
class Pictures:
    """`images` uint8 NHWC and `labels` int64, on the device where training runs; `zero` is the pixel that means 0."""

    images: Tensor
    labels: Tensor
    zero: int

    def __len__(self) -> int:
        return len(self.labels)

    def real(self, images: Tensor) -> Tensor:
        """NCHW in channels-last memory, (pixel - zero) / 255."""
        return ((images.float() - self.zero) / 255).permute(0, 3, 1, 2)


def order(count: int, seed: int, epoch: int) -> Tensor:
    """In which order an epoch goes through `count` images."""
    return torch.randperm(count, generator=_generator(seed, epoch))


def batch(data: Pictures, chosen: Tensor, seed: int, epoch: int, step: int) -> tuple[Tensor, Tensor]:
    """These images, each shifted by up to four pixels and mirrored at random, and their labels."""
    random, count = _generator(seed, epoch, step + 1), len(chosen)
    shifts = torch.randint(0, 2 * _GREATEST_SHIFT + 1, (2, count), generator=random)
    mirrored = torch.randint(0, 2, (count,), generator=random)
    device = data.labels.device
    chosen, shifts, mirrored = (one.to(device, non_blocking=True) for one in (chosen, shifts, mirrored))
    height, width = data.images.shape[1:3]
    rows = torch.arange(height, device=device) + shifts[0, :, None] - _GREATEST_SHIFT
    columns = torch.arange(width, device=device)
    columns = torch.where(mirrored[:, None] > 0, width - 1 - columns, columns) + shifts[1, :, None] - _GREATEST_SHIFT
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    moved = data.images[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
    moved = torch.where(inside[..., None], moved, torch.tensor(data.zero, dtype=torch.uint8, device=device))
    return data.real(moved), data.labels[chosen]


def _generator(*key: int) -> torch.Generator:
    """A stream of its own for each key."""
    mixed = 0
    for one in key:
        mixed = (mixed * 1_000_003 + one + 1) % (1 << 63)
    return torch.Generator().manual_seed(mixed)
