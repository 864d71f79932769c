"""What training leaves in an arm's folder: the names of its files, and of the arms that have no Winograd form."""

from __future__ import annotations

DIRECT, FLOAT = "direct:int8", "fp32"
LOG, MODEL, RECIPE, RESULT = "log.jsonl", "model.tflite", "recipe.json", "result.json"
