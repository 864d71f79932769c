"""Network files in and out: readers that give QDQ Relax modules, and a writer of int8 `.tflite` files."""
