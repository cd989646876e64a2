"""The fitted function as a formula: sympy, LaTeX, and the source of a plain Python function."""

from __future__ import annotations

import itertools
import keyword
from collections.abc import Sequence
from typing import Any

from convexnn.piecewise import PiecewiseLinear

FIELDS = ("breakpoints", "anchors", "values", "slopes")
# the names that the source of to_python uses itself
RESERVED = frozenset({*FIELDS, "bisect_right", "total", "i", "x_j", "PIECES", "predict", "zip"})
LATEX_SPECIAL = {"\\": r"\backslash ", **{c: f"\\{c}" for c in "_$%&#{}"}, "^": r"\hat{}", "~": r"\sim "}


def identifiers(names: Sequence[str] | None, count: int) -> list[str]:
    """Return names that are distinct Python identifiers: those given where they are, else x0, x1, ... (x for one input)."""
    plain = ["x"] if count == 1 else [f"x{j}" for j in range(count)]
    if names is None or len(set(names)) < count or not all(name.isidentifier() and name.isascii() for name in names):
        return plain
    return plain if any(keyword.iskeyword(name) or name in RESERVED for name in names) else list(names)


def to_sympy(pieces: Sequence[PiecewiseLinear], offset: float, names: Sequence[str]) -> Any:
    """Return the function as a sympy expression in real symbols of these names."""
    try:
        import sympy
    except ImportError as error:
        raise ImportError('to_sympy needs sympy: python -m pip install "convexnn[export]"') from error
    terms = [sympy.Float(offset, 17)]
    for f, name in zip(pieces, names, strict=True):
        x = sympy.Symbol(name, real=True)
        lines = [
            sympy.Float(value, 17) + sympy.Float(slope, 17) * sympy.Add(x, -sympy.Float(anchor, 17), evaluate=False)
            for value, slope, anchor in zip(f.values, f.slopes, f.anchors, strict=True)
        ]
        conditions = [x < sympy.Float(place, 17) for place in f.breakpoints]
        # without evaluate=False sympy compares every piece with every other
        terms.append(
            sympy.Piecewise(*zip(lines, [*conditions, sympy.true], strict=True), evaluate=False) if conditions else lines[0]
        )
    return sympy.Add(*terms)


def to_latex(pieces: Sequence[PiecewiseLinear], offset: float, names: Sequence[str] | None, digits: int) -> str:
    """Return the function as LaTeX: a ``cases`` environment for each input."""
    count = len(pieces)
    if names is None:
        symbols = ["x"] if count == 1 else [f"x_{{{j}}}" for j in range(count)]
    else:
        symbols = [rf"\mathrm{{{''.join(LATEX_SPECIAL.get(c, c) for c in name)}}}" for name in names]
    parts = [_latex_cases(f, symbol, digits) for f, symbol in zip(pieces, symbols, strict=True)]
    constant = [_latex_number(offset, digits)] if offset else []
    return f"f({', '.join(symbols)}) = " + " + ".join([*constant, *parts])


def _latex_cases(f: PiecewiseLinear, symbol: str, digits: int) -> str:
    lines = [
        _latex_line(value, slope, anchor, symbol, digits)
        for value, slope, anchor in zip(f.values, f.slopes, f.anchors, strict=True)
    ]
    if len(lines) == 1:
        return rf"\left({lines[0]}\right)"
    bounds = [_latex_number(place, digits) for place in f.breakpoints]
    conditions = [
        rf"{symbol} < {bounds[0]}",
        *(rf"{low} \le {symbol} < {high}" for low, high in itertools.pairwise(bounds)),
        rf"{bounds[-1]} \le {symbol}",
    ]
    rows = " \\\\\n".join(f"{line} & {condition}" for line, condition in zip(lines, conditions, strict=True))
    return f"\\begin{{cases}}\n{rows}\n\\end{{cases}}"


def _latex_line(value: float, slope: float, anchor: float, symbol: str, digits: int) -> str:
    if slope == 0.0:
        return _latex_number(value, digits)
    sign = "-" if slope < 0.0 else "+"
    inner = f"{symbol} {'+' if anchor < 0.0 else '-'} {_latex_number(abs(anchor), digits)}"
    return rf"{_latex_number(value, digits)} {sign} {_latex_number(abs(slope), digits)} \, ({inner})"


def _latex_number(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return mantissa if not exponent else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"


def to_python(pieces: Sequence[PiecewiseLinear], offset: float, names: Sequence[str]) -> str:
    """Return the source of a function ``predict`` of these arguments that needs the standard library only.

    The names must be identifiers: they and numbers are all that goes into the source.
    """
    tables = [
        f"    (  # {name}\n" + "".join(f"        {_list_source(getattr(f, field))},  # {field}\n" for field in FIELDS)
        for f, name in zip(pieces, names, strict=True)
    ]
    return (
        '"""A piecewise-linear function fitted by convexnn, for one number at a time."""\n\n'
        "from bisect import bisect_right\n\n"
        "# for each argument: where its pieces begin, and of each piece a point, the value there and the slope\n"
        "PIECES = [\n" + "".join(f"{table}    ),\n" for table in tables) + "]\n\n\n"
        + f"def predict({', '.join(names)}):\n"
        f"    total = {float(offset)!r}\n"
        f"    for (breakpoints, anchors, values, slopes), x_j in zip(PIECES, ({', '.join(names)},)):\n"
        "        i = bisect_right(breakpoints, x_j)\n"
        "        total += values[i] + slopes[i] * (x_j - anchors[i])\n"
        "    return total\n"
    )


def _list_source(values: Any) -> str:
    return "[" + ", ".join(repr(float(value)) for value in values) + "]"
