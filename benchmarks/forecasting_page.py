"""docs/autoregression.md, from the results of ``forecasting.py``."""

from __future__ import annotations

from benchmarks.report import number, seconds, table

KINDS = {0: "levels", 1: "increments"}
BITCOIN = ("minutes_levels", "minutes_increments", "half_hours_levels", "half_hours_increments")
NOT_WORSE = 2.0  # of Diebold and Mariano's statistic


def verdict(row: dict) -> str:
    """Say how squared test errors compare with those of persistence."""
    if row["method"] == "persistence":
        return ""
    if abs(row["statistic"]) < NOT_WORSE:
        return "as good"
    return "**better**" if row["statistic"] < 0.0 else "worse"


def line(row: dict) -> str:
    """Return one line about a comparison on prices."""
    return (
        f"{row['data']:20} {KINDS[row['difference']]:10} {row['method']:26} "
        f"train {row['train']:11.6g} test {row['test']:11.6g} {verdict(row):10} {seconds(row.get('seconds')):>8} "
        f"gap {number(row.get('gap'))} "
        f"{row.get('fraction', '')} {row.get('excess', [['']])[-1][-1]}"
    )


def origin_line(row: dict) -> str:
    """Return one line about rolling origins."""
    factor = row["rmse"]["AR(1)"] / row["rmse"]["ours"]
    return f"{row['data']:26} lags {row['lags']} RMSE {row['rmse']} factor {factor:.3f} {row['activation']} {row['skip']}"


def prices(rows: list[dict]) -> list[str]:
    """Report the comparison on prices."""
    out = []
    for data in dict.fromkeys(row["data"] for row in rows):
        for difference, kind in KINDS.items():
            group = [row for row in rows if (row["data"], row["difference"]) == (data, difference)]
            if not group:
                continue
            base = group[0]["test"]
            out += [f"### {data}, {kind}: {group[0]['n_train']} training, {group[0]['n_test']} test values", ""]
            out += table(
                ("method", "training loss", "test loss", "of persistence", "against it", "relative gap", "alpha", "time"),
                [
                    (
                        row["method"],
                        number(row["train"], "{:.6g}"),
                        number(row["test"], "{:.6g}"),
                        number(row["test"] / base, "{:.4f}"),
                        verdict(row),
                        number(row.get("gap"), "{:.0e}") + ("" if row.get("exact", True) else " (in the dictionary)"),
                        number(row.get("fraction"), "{:.0e}"),
                        seconds(row.get("seconds")),
                    )
                    for row in group
                ],
            )
            out += plain(group)
            epochs = [epoch for epoch, _ in next(row for row in group if "excess" in row)["excess"]]
            out += [
                "Objective of the gradient methods after so many epochs, each unit rescaled to its least penalty, above the",
                "certified objective and relative to it:",
                "",
            ]
            out += table(
                ("method", "rate", *map(str, epochs)),
                [
                    (row["method"], row["rate"], *(number(value, "{:.1e}") for _, value in row["excess"]))
                    for row in group
                    if "excess" in row
                ],
            )
    return out


def plain(group: list[dict]) -> list[str]:
    """Say in words whether any network beats what costs nothing."""
    ours = [row for row in group if row["method"].startswith("convexnn")]
    best, line_ = min(ours, key=lambda row: row["test"]), group[1]
    lowest = min(line_["test"], group[0]["test"])
    name = "persistence" if lowest == group[0]["test"] else "the linear AR(1)"
    title = name[0].upper() + name[1:]
    change = f"{abs(1.0 - best['test'] / lowest):.2%}"
    text = f"The best certified network on the test data is {best['method'].removeprefix('convexnn ')}: "
    if best["test"] >= lowest:
        text += f"its loss is {change} above that of {name}. **{title} is as good or better.**"
    elif verdict(best) == "as good":
        text += f"its loss is {change} below that of {name}, no more than chance. **{title} is as good.**"
    else:
        text += f"its loss is {change} below that of {name}."
    return [text, ""]


def origins(rows: list[dict]) -> list[str]:
    """Report rolling origins."""
    linear = ("AR(1)", "AR(same lags)", "persistence")
    header = ("series", "lags", "origins", "network", "RMSE", *linear, "factor", "statistics")
    body = [
        (
            row["data"],
            ", ".join(map(str, row["lags"])),
            row["origins"],
            row["activation"] + (", skip connection" if row["skip"] else ""),
            *(number(row["rmse"][name], "{:.4g}") for name in ("ours", *linear)),
            number(row["rmse"]["AR(1)"] / row["rmse"]["ours"], "{:.2f}"),
            f"{row['statistic']['AR(1)']:.1f}, {row['statistic']['AR(same lags)']:.1f}",
        )
        for row in rows
    ]
    return table(header, body)


def years(rows: list[dict]) -> list[str]:
    """Report the year of prices."""
    times = ("time", "processor time")
    header = ("depth", "alpha / critical", "values", "distinct", *times, "memory above the data", "relative gap", "neurons")
    return table(
        header,
        [
            (
                row["depth"],
                number(row["fraction"], "{:.0e}"),
                row["n"],
                row["distinct"],
                seconds(row["seconds"]),
                seconds(row["processor_seconds"]),
                f"{row['bytes_above_input'] / 2**20:.0f} MB",
                number(row["gap"], "{:.1e}"),
                row["neurons"],
            )
            for row in rows
            if "distinct" in row
        ],
    )


TEXT = {
    "bitcoin": """## Bitcoin, one step ahead

The first 80 per cent of each series train, the rest tests. Loss is the mean squared error of the price in USD², one step
ahead; networks of *levels* map a price to the next one, those of *increments* a change to the next change. alpha, as a part
of the critical one, has the least error on the last fifth of the training data among 0.5, 0.1, 0.01, ..., 1e-6 (abs depth
3: searched with 100 candidate breakpoints, increments down to 0.001, then fitted with all; its exact pricing costs O(N²) a
sweep). SGD (momentum 0.9) and Adam train the same objective with the same beta: 50 units, batches of 512, 100 epochs,
cosine schedule, the better of two learning rates, one thread; time is of the better run. "Against it" compares squared test
errors with persistence's by Diebold and Mariano's statistic: better or worse beyond 2, else as good. Times of this package
include validation, sorting and the certificate; kernels compiled.
""",
    "nonlinear": """## Nonlinear series, rolling origins

Every value of the last 40 per cent is forecast from all before it, the model refitted each time. Depth is 2; activation,
skip connection and alpha are chosen by cross-validation in time before the first origin. The factor is AR(1)'s root mean
squared error over the network's. The statistics are Diebold and Mariano's, against AR(1) and against the linear
autoregression with the same lags: below -2 the network is better beyond chance.
""",
    "year": """## A year of minute prices

525,600 simulated prices in cents (`datasets.make_minute_prices`), `ConvexNNAutoregressor(lags=1)`: the whole `fit`, with
fitted values and residuals, kernels compiled. The gap is that of an independent program in extended precision.
""",
    "many": """## Many series

`fit_many`, 1000 random walks of 500 values in a long frame, two processes, everything included.
""",
}


def many(rows: list[dict]) -> list[str]:
    """Report many series."""
    header = ("series", "values each", "processes", "time", "worst relative gap")
    return table(
        header,
        [
            (row["series"], row["n"], row["processes"], seconds(row["seconds"]), number(row["gap"], "{:.1e}"))
            for row in rows
            if "series" in row
        ],
    )


SECTIONS = {"bitcoin": prices, "nonlinear": origins, "year": years, "many": many}


def busy(results: dict) -> list[str]:
    """Say that times are not to be quoted where other work ran beside."""
    worst = max(results.get("loads", {}).values(), default=0.0)
    if worst < 0.5 * results["machine"]["cores"]:
        return []
    return [f"**Other work ran beside (load average up to {worst:.1f}): times are too long, and to be compared only.**", ""]


def page(results: dict) -> str:
    """Return the page."""
    computer, versions = results["machine"], results["versions"]
    named = ("python", "convexnn", "numpy", "scikit-learn", "numba", "torch", "statsmodels")
    lines = [
        "# Autoregression: how good are the forecasts?",
        "",
        "Made by `python benchmarks/forecasting.py`, which runs everything again. A certified optimum is the best network",
        "for the training data; whether that forecasts better than a line, or than the last value, is another question, and",
        "this page says so where it does not.",
        "",
        f"Machine: {computer['processor']}, {computer['cores']} cores, {computer['memory_gib']} GiB, {computer['system']}. "
        + "Versions: "
        + ", ".join(f"{name} {versions[name]}" for name in named)
        + f". {results['date']}.",
        "",
        *busy(results),
    ]
    parts = results["parts"]
    missing = [name for name in (*BITCOIN, *TEXT) if name != "bitcoin" and not parts.get(name)]
    if missing:
        lines += [f"Not run: {', '.join(missing)}.", ""]
    parts = {**parts, "bitcoin": [row for name in BITCOIN for row in parts.get(name, [])]}
    for part, section in SECTIONS.items():
        if parts.get(part):
            lines += [TEXT[part], *section(parts[part])]
    return "\n".join(lines).rstrip() + "\n"
