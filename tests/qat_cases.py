"""Calibrated Winograd layers of random weights with the input codes they were calibrated on. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tvm_wvv.qat.fake_quant import Activation
from tvm_wvv.qat.layers import Scheme, WinogradConv2d
from tvm_wvv.transforms.catalog import by_name

SCHEMES = [Scheme("tensor"), Scheme("tap"), Scheme("tap_channel", 6, 6, 8), Scheme("tap", power_of_two=True)]


@dataclass(frozen=True, eq=False)
class Case:
    """A calibrated layer with its input codes (n, h, w, c) and output quantization."""

    layer: WinogradConv2d
    output: Activation
    codes: np.ndarray

    @property
    def real(self) -> torch.Tensor:
        """The input as real numbers, NCHW."""
        centred = torch.from_numpy(self.codes).float() - self.layer.source.zero_point
        return centred.permute(0, 3, 1, 2) * self.layer.source.scale()

    def bytes(self) -> np.ndarray:
        """The layer's output as training sees it."""
        with torch.no_grad():
            found = self.output.codes(self.layer(self.real, self.output)) + self.output.zero_point
        return found.permute(0, 2, 3, 1).numpy().astype(np.int64)


def made(name: str, scheme: Scheme, shape: tuple[int, int] = (7, 10), channels: int = 5, outputs: int = 4) -> Case:
    torch.manual_seed(len(name) + len(scheme.granularity))
    source, output = Activation(), Activation()
    source.assign(-1.3, 2.9)
    conv = torch.nn.Conv2d(channels, outputs, 3, padding=1)
    layer = WinogradConv2d(conv, by_name(name), scheme, source)
    rng = np.random.default_rng(3)
    codes = rng.integers(-128, 128, (3, *shape, channels))
    codes.flat[0], codes.flat[-1] = -128, 127
    case = Case(layer, output, codes)
    layer.calibrating = True
    real = layer(case.real)
    layer.calibrating = False
    with torch.no_grad():
        # Calibrated scales are simple fractions of a greatest value, which makes exact ties; learned ones are not.
        for stage in (layer.v_scale, layer.u_scale, layer.m_scale):
            stage.log2 += 0.0 if scheme.power_of_two else 0.01 + 0.05 * torch.rand_like(stage.log2)
    output.assign(real.min().item() * 0.8, real.max().item() * 0.8)
    return case
