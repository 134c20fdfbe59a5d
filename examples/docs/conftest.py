"""Which pages can be tested here."""

from importlib.util import find_spec

NEEDED = ["skops", "skl2onnx", "onnxruntime"]
collect_ignore = [] if all(map(find_spec, NEEDED)) else ["deployment.md"]
