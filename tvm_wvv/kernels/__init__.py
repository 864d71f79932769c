"""TensorIR of each operator and each Winograd stage, unscheduled."""
