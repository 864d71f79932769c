"""Affine parameters, fixed-point requantization and the plain attributes of every integer operator (floor 0)."""
