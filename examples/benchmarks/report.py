"""What a run of the benchmark leaves: a Markdown table, a JSON file and a picture."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ["skbinnet", "scikit-learn", "numpy", "scipy", "jax", "torch", "skorch"]


def write(works, folder):
    folder.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "works": works}
    (folder / "benchmark.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "benchmark.md").write_text(markdown(report))
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print("No picture: matplotlib is not installed.")
        return
    figure = picture(plt, works)
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


def in_words(figure, unit):
    """3 significant digits, seconds in a unit that fits."""
    if unit == "s":
        sizes = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
        unit = next((unit for unit in sizes if figure >= sizes[unit]), "ns")
        figure /= sizes[unit]
    return f"{figure:.3g} {unit}"


def markdown(report):
    lines = ["# Benchmark", ""]
    lines += [", ".join(f"{name} {value}" for name, value in report["machine"].items())]
    lines += ["", "Medians, and quartiles in brackets. Ratios are of medians.", ""]
    lines += ["| # | work | subject | figure |", "|---|---|---|---|"]
    for work in report["works"]:
        threads = "" if work["threads"] is None else ", one thread"
        head = f"{work['number']} | {work['title']}{threads}"
        for name, (low, median, high) in work["figures"].items():
            low, median, high = (in_words(f, work["unit"]) for f in (low, median, high))
            lines.append(f"| {head} | {name} | {median} ({low} to {high}) |")
            head = " | "
    lines += ["", "| # | ratio | measured | target | met |", "|---|---|---|---|---|"]
    for work in report["works"]:
        for name, value, sign, bound, is_met in work["targets"]:
            met = "yes" if is_met else "no"
            line = (
                f"| {work['number']} | {name} | {value:.3g} | {sign} {bound} | {met} |"
            )
            lines.append(line)
    absent = sorted({line for work in report["works"] for line in work["absent"]})
    lines += ["", *(f"Left out: {line}." for line in absent)]
    return "\n".join(lines).rstrip() + "\n"


def picture(plt, works):
    """How many times faster than MLPClassifier, a bar for each work."""
    bars = []
    for work in works:
        for name, value, sign, _, _ in work["targets"]:
            if sign == ">=" and name.startswith("MLPClassifier"):
                _, *which = name.split("skbinnet")[-1].split(", ")
                bars.append((", ".join([work["title"], *which]), value))
    fig, ax = plt.subplots(figsize=(9, 0.45 * len(bars) + 1), layout="constrained")
    labels, values = zip(*bars[::-1], strict=True) if bars else ((), ())
    drawn = ax.barh(range(len(bars)), values)
    ax.bar_label(drawn, [f"{value:.3g}" for value in values], padding=3)
    ax.set_yticks(range(len(bars)), labels, fontsize="small")
    ax.set(xscale="log", xlabel="times as fast as MLPClassifier")
    ax.margins(x=0.15)
    ax.axvline(1, color="black", linewidth=0.8)
    return fig
