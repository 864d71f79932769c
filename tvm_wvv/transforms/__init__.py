"""Exact mathematics of Winograd convolution: points, constructions, ranges, programs. Standard library only."""
