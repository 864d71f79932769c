"""Compile int8 TFLite networks to plain C for Cortex-M, with 3x3 convolutions in exact Winograd form.

Importing the package loads neither TVM nor torch; its sub-packages load what they need.
"""

__version__ = "0.1.0"
