"""How the kernels run on a target: loops, strips, microkernels."""
