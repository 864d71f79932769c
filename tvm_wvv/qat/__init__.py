"""Training for integers in PyTorch: layers that fake the stages of quantized convolutions, and what they export."""
