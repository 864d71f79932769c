"""Slow, plain NumPy oracles of every integer operator, and the golden runs of TFLite's reference kernels (floor 1)."""
