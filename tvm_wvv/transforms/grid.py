"""How whole tiles cover an image: shapes of every stage of a Winograd convolution with stride 1.

Tiles that hang over the lower and right edge read the padding value there, and their surplus outputs are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm_wvv.transforms.bilinear import Algorithm, Pair


@dataclass(frozen=True)
class Grid:
    """Layouts: image [n, h, w, c]; V [n, tile row, tile column, tap, c]; U [tap, o, c]; M [n, tile row, tile column,
    tap, o]; sums [n, h, w, o] over whole tiles. Channels lie innermost, so that a product runs along contiguous int16,
    and a transform's inner loop walks along channels.
    """

    algorithm: Algorithm
    x_shape: tuple[int, ...]
    padding: tuple[int, int, int, int]

    @property
    def output(self) -> Pair:
        """(h, w) of the convolution's output."""
        _, height, width, _ = self.x_shape
        top, left, bottom, right = self.padding
        return height + top + bottom - self.algorithm.r[0] + 1, width + left + right - self.algorithm.r[1] + 1

    @property
    def tiles(self) -> Pair:
        """(rows, columns) of tiles."""
        (height, width), (m_h, m_w) = self.output, self.algorithm.m
        return -(-height // m_h), -(-width // m_w)

    @property
    def padded(self) -> Pair:
        """(h, w) of the padded image that whole tiles read."""
        (rows, columns), (m_h, m_w), (r_h, r_w) = self.tiles, self.algorithm.m, self.algorithm.r
        return rows * m_h + r_h - 1, columns * m_w + r_w - 1

    @property
    def padded_shape(self) -> tuple[int, int, int, int]:
        """Shape of the padded image."""
        return self.x_shape[0], *self.padded, self.x_shape[3]

    @property
    def v_shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the transformed input."""
        return self.x_shape[0], *self.tiles, self.algorithm.taps, self.x_shape[3]

    def m_shape(self, outputs: int) -> tuple[int, int, int, int, int]:
        """Shape of the products' sums."""
        return self.x_shape[0], *self.tiles, self.algorithm.taps, outputs

    def y_shape(self, outputs: int) -> tuple[int, int, int, int]:
        """Shape of the sums over whole tiles."""
        (rows, columns), (m_h, m_w) = self.tiles, self.algorithm.m
        return self.x_shape[0], rows * m_h, columns * m_w, outputs

    def out_shape(self, outputs: int) -> tuple[int, int, int, int]:
        """Shape of the convolution's output."""
        return self.x_shape[0], *self.output, outputs

    def multiplications(self, outputs: int) -> int:
        """Products of one run, whole tiles counted."""
        rows, columns = self.tiles
        return self.x_shape[0] * rows * columns * self.algorithm.taps * self.x_shape[3] * outputs
