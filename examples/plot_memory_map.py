"""
Data larger than memory
=======================

The rows are in a file, and partial_fit learns from them chunk by chunk. Training that
is interrupted resumes from a checkpoint and ends with the same weights, bit for bit.
"""

# %%
# A file of 80 MB stands in for one of 80 GB: with a memory map, only the rows that are
# used are loaded into memory.
import os
import tempfile

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from skbinnet import BinaryMLPClassifier

folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
n_rows, n_features, size = 500_000, 40, 10_000
X = np.memmap(f"{folder.name}/X", np.float32, "w+", shape=(n_rows, n_features))
y = np.memmap(f"{folder.name}/y", np.int8, "w+", shape=n_rows)
chunks = [slice(start, start + size) for start in range(0, n_rows, size)]
scaler, rng = StandardScaler(), np.random.RandomState(0)
for rows in chunks:
    X[rows] = 100 * rng.normal(size=(size, n_features))
    noise = 100 * rng.normal(size=size)
    y[rows] = np.abs(X[rows, 0]) + X[rows, 1] - X[rows, 2] + noise > 0
    scaler.partial_fit(X[rows])

# %%
# Train for two passes over the file. A checkpoint is written to a temporary file, which
# then replaces the last checkpoint, so that a complete one always exists.


def train(checkpoint, interrupt_at=None):
    """Train from the checkpoint, if it exists, and return the classifier."""
    clf, scale = BinaryMLPClassifier(learning_rate_init=0.002, random_state=0), scaler
    done = 0
    if os.path.exists(checkpoint):
        clf, scale, done = joblib.load(checkpoint)
    for number, rows in list(enumerate(chunks * 2))[done:]:
        if number == interrupt_at:
            raise KeyboardInterrupt  # as if by Ctrl-C
        clf.partial_fit(scale.transform(X[rows]), y[rows], classes=[0, 1])
        joblib.dump((clf, scale, number + 1), f"{checkpoint}.new")
        os.replace(f"{checkpoint}.new", checkpoint)
        if (number + 1) % 20 == 0:
            print(f"{number + 1:3} of {2 * len(chunks)} chunks, loss {clf.loss_:.4f}")
    return clf


whole = train(f"{folder.name}/whole.joblib")
try:
    train(f"{folder.name}/resumed.joblib", interrupt_at=63)
except KeyboardInterrupt:
    print("interrupted after 63 chunks")
resumed = train(f"{folder.name}/resumed.joblib")
assert all(map(np.array_equal, whole.coefs_, resumed.coefs_))
print("both runs end with the same weights, bit for bit")

# %%
# Plot the loss of each chunk before the network learns from it. The curves of both runs
# coincide.
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
steps, curve = np.arange(2 * len(chunks)) + 1, resumed.loss_curve_
ax.plot(steps, whole.loss_curve_, linewidth=5, alpha=0.4, label="uninterrupted")
ax.plot(steps[:63], curve[:63], "C1", label="before the interruption")
ax.plot(steps[63:], curve[63:], "C3", label="resumed")
ax.axvline(63.5, color="k", linestyle=":")
ax.set(title="two passes over a file", xlabel="chunk", ylabel="training loss")
ax.legend()
figure.savefig("plot_memory_map.png", dpi=150)
print("picture saved as plot_memory_map.png")
folder.cleanup()
