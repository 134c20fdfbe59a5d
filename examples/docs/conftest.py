"""Skip the pages whose packages are not installed."""

from importlib.util import find_spec

NEEDED = ["skops", "skl2onnx", "onnxruntime"]
collect_ignore = [] if all(map(find_spec, NEEDED)) else ["deployment.md"]
