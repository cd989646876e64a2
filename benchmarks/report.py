"""Make docs/benchmarks.md from results: ``python benchmarks/report.py [RESULTS] [--out FILE] [--plots FOLDER]``."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TITLES = {
    "million": "Whole fits, in units of numpy.argsort of the same unsorted x",
    "threshold": "Threshold networks, whole fit, in units of numpy.argsort",
    "small": "Small problems: whole fit",
    "predict": "Predictions, in units of numpy.interp",
    "path": "A path of 100 alphas, from the critical one to 1e-4 of it, in units of numpy.argsort",
    "cross_validation": "Cross-validation: five folds, 50 alphas, two threads",
    "tiny_alpha": "Very small alpha, in units of numpy.argsort",
    "minute_prices": "A year of simulated minute prices in cents",
    "state_space": "Against interior-point methods on the sparse state-space form",
    "explicit": "Against solvers on the explicit dictionary and gradient methods on the network",
    "total_variation": "Total-variation denoising, solver alone",
    "growth": "Growth with n, in units of numpy.argsort",
    "memory": "Peak memory of a fit, data included, in arrays of n float64",
    "additive": "Networks of ten inputs, in units of numpy.argsort of one of them",
    "deep": "Deep architectures, to a relative gap of 1e-6",
    "autoregression": "A year of simulated minute prices as a series: the whole fit of the autoregressor",
    "many_series": "Many series, one autoregressor each",
    "start": "The first fit of a new user",
}


def number(value: float | None, form: str = "{:.3g}") -> str:
    """Format a number; nothing where there is none."""
    return "" if value is None else form.format(value)


def seconds(value: float | None) -> str:
    """Format a time with a unit that fits."""
    if value is None:
        return ""
    unit, factor = ("s", 1.0) if value >= 1.0 else ("ms", 1e3) if value >= 1e-3 else ("µs", 1e6)
    return f"{value * factor:.3g} {unit}"


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return a Markdown table."""
    header = list(header)
    body = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *body, ""]


def good(rows: list[dict]) -> list[dict]:
    """Return the rows with a measured time."""
    return [row for row in rows if "ratio" in row or row.get("status") == "ok"]


def grouped(rows: list[dict], *keys: str) -> dict[tuple, list[dict]]:
    """Collect rows that agree in the keys, in the order in which they come."""
    out: dict[tuple, list[dict]] = {}
    for row in rows:
        out.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return out


def ratios(rows: list[dict]) -> list[str]:
    """Report fits as multiples of a ruler: median and worst over kinds of data and alphas, and the worst gap."""
    out = []
    for (architecture, n), group in grouped(good(rows), "architecture", "n").items():
        values, worst = [row["ratio"] for row in group], max(group, key=lambda row: row["ratio"])
        gaps = [row["gap"] for row in group if row.get("gap") is not None]
        where = f"{worst['kind']}, {worst['fraction']:.0e}"
        times = statistics.median(row["seconds"] for row in group)
        out.append(
            (
                architecture,
                n,
                number(statistics.median(values)),
                f"{number(worst['ratio'])} ({where})",
                seconds(times),
                number(max(gaps, default=None), "{:.1e}"),
                len(group),
            )
        )
    header = ("architecture", "n", "median", "worst (data, alpha)", "median time", "worst gap", "fits")
    lines = table(header, out)
    measured = [row["ratio"] for row in good(rows)]
    if measured:
        lines += [f"All together: median {number(statistics.median(measured))}, worst {number(max(measured))}.", ""]
    return lines + failures(rows)


def detailed(rows: list[dict]) -> list[str]:
    """Report every fit."""
    header = ("what", "architecture", "data", "n", "alpha / critical", "time", "ratio", "memory", "gap")
    out = [
        (
            row["name"],
            row["architecture"],
            row["kind"],
            row["n"],
            number(row["fraction"], "{:.0e}"),
            seconds(row["seconds"]),
            number(row.get("ratio")),
            f"{row['megabytes']:.0f} MB" if "megabytes" in row else "",
            number(row.get("gap"), "{:.1e}") + ("*" if row.get("gap_by") == "package" else ""),
        )
        for row in good(rows)
    ]
    starred = any(row.get("gap_by") == "package" for row in rows)
    note = ["\\* as the package reports it: the common code does not price this one.", ""] if starred else []
    return table(header, out) + note + failures(rows)


def rivals(rows: list[dict]) -> list[str]:
    """Report a comparison: times as multiples of convexnn's, and whether the gap was reached."""
    out, home = [], ("convexnn", "convexnn_denoise")
    for (n, kind, fraction), group in grouped(rows, "n", "kind", "fraction").items():
        ours = next((row.get("seconds") for row in group if row.get("name") in home), None)
        lowest = min((row["objective"] for row in group if "objective" in row), default=None)
        for row in group:
            times = None if ours is None or "seconds" not in row else row["seconds"] / ours
            above = None if "objective" not in row else row["objective"] / lowest - 1.0
            out.append(
                (
                    row["name"],
                    n,
                    kind,
                    number(fraction, "{:.0e}"),
                    row.get("status", ""),
                    seconds(row.get("seconds")),
                    number(times),
                    number(row.get("gap") if row.get("seconds") is not None else None, "{:.1e}"),  # else the one asked for
                    number(above, "{:.1e}"),
                )
            )
    header = ("solver", "n", "data", "alpha / critical", "outcome", "time", "times ours", "gap", "above the best")
    return table(header, out)


def memories(rows: list[dict]) -> list[str]:
    """Report peak memory."""
    out = [
        (
            row["architecture"],
            row["kind"],
            row["n"],
            number(row["fraction"], "{:.0e}"),
            number(row["arrays"]),
            f"{row['bytes_above_input'] / 2**20:.0f} MB",
        )
        for row in rows
        if "arrays" in row
    ]
    return table(("architecture", "data", "n", "alpha / critical", "arrays", "above the data"), out) + failures(rows)


def starts(rows: list[dict]) -> list[str]:
    """Report imports and first fits."""
    out = [
        (
            row["name"],
            row.get("architecture") or "",
            seconds(row["import_seconds"]),
            seconds(row.get("first_fit_seconds")),
            seconds(row["process_seconds"]),
        )
        for row in rows
        if "import_seconds" in row
    ]
    return table(("what", "architecture", "import", "first fit", "whole process"), out) + failures(rows)


def series(rows: list[dict]) -> list[str]:
    """Report fits of series."""
    out = [
        (
            row.get("series", 1),
            row["n"],
            row.get("depth", 2),
            number(row.get("fraction"), "{:.0e}"),
            seconds(row["seconds"]),
            f"{row['bytes_above_input'] / 2**20:.0f} MB" if "bytes_above_input" in row else "",
            number(row.get("gap"), "{:.1e}") + ("*" if row.get("gap_by") == "package" else ""),
        )
        for row in rows
        if "gap" in row
    ]
    header = ("series", "values each", "depth", "alpha / critical", "time", "above the data", "worst gap")
    starred = any(row.get("gap_by") == "package" for row in rows)
    note = ["\\* as the package reports it.", ""] if starred else []
    return table(header, out) + note + failures(rows)


def failures(rows: list[dict]) -> list[str]:
    """List what did not run."""
    bad = [row for row in rows if row.get("status") not in (None, "ok", "gap not reached")]
    return [
        *(
            f"- {row.get('name', '')} {row.get('architecture', '')} {row.get('kind', '')} n = {row.get('n', '')}: "
            f"{row['status']} {row.get('message', '')}".rstrip()
            for row in bad
        ),
        *([""] if bad else []),
    ]


SECTIONS: dict[str, Callable[[list[dict]], list[str]]] = {
    "million": ratios,
    "threshold": ratios,
    "small": ratios,
    "predict": detailed,
    "path": detailed,
    "cross_validation": detailed,
    "tiny_alpha": detailed,
    "minute_prices": detailed,
    "state_space": rivals,
    "explicit": rivals,
    "total_variation": rivals,
    "growth": detailed,
    "memory": memories,
    "deep": detailed,
    "additive": detailed,
    "autoregression": series,
    "many_series": series,
    "start": starts,
}


def page(results: dict, note: str = "") -> str:
    """Return the page."""
    machine, versions = results["machine"], results["versions"]
    listed = ", ".join(f"{name} {version or '(not installed)'}" for name, version in versions.items())
    lines = [
        "# Benchmarks",
        "",
        "Made by `benchmarks/report.py` from the results of `benchmarks/run.py`; `benchmarks/README.md` says how each",
        "figure is made. Objective and gap of every fit, ours and theirs, come from the same `benchmarks/gap.py`,",
        "which is independent of the package. A rival that fails, or misses the gap, is shown as such.",
        "",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; "
        f"{results['threads']} thread, {' and '.join(sorted(set(results['dates'].values())))}. Versions: {listed}.",
        "",
        *([note, ""] if note else []),
    ]
    if results["quick"]:
        lines += ["**Small sizes (`--quick`), for trying only.**", ""]
    for name, section in SECTIONS.items():
        if results["suites"].get(name):
            lines += [f"## {TITLES[name]}", "", *section(results["suites"][name])]
    return "\n".join(lines).rstrip() + "\n"


def plot(results: dict, folder: Path) -> list[Path]:
    """Draw log-log plots of time against n: growth, and the rivals."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    comparisons = [*results["suites"].get("explicit", []), *results["suites"].get("state_space", [])]
    for name, rows, key in (
        ("growth", results["suites"].get("growth", []), "architecture"),
        ("rivals", comparisons, "name"),
    ):
        figure, axes = plt.subplots(figsize=(7.0, 4.5), layout="constrained")
        for (label,), group in grouped(good(rows), key).items():
            if name == "growth":
                group = [row for row in group if row["kind"] == "smooth"]
            points = sorted({row["n"]: row["seconds"] for row in group}.items())
            axes.loglog(*zip(*points, strict=True), marker="o", label=label)
        if name == "growth":
            ruler = {row["n"]: row["ruler_seconds"] for row in good(rows)}
            if ruler:
                axes.loglog(*zip(*sorted(ruler.items()), strict=True), "k--", label="numpy.argsort")
        axes.set(xlabel="n", ylabel="seconds")
        if axes.has_data():
            axes.legend(fontsize="small")
            made.append(folder / f"{name}.png")
            figure.savefig(made[-1], dpi=120)
        plt.close(figure)
    return made


def main() -> None:
    """Write the page and the plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="?", type=Path, default=Path("benchmark-results.json"))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--plots", type=Path, help="a folder for log-log plots; none without it")
    parser.add_argument("--note", default="", help="a paragraph on how the run was made")
    options = parser.parse_args()
    results = json.loads(options.results.read_text())
    options.out.write_text(page(results, options.note))
    if options.plots:
        plot(results, options.plots)


if __name__ == "__main__":
    main()
