"""Coverage-guided fuzz of what reads files: ``python benchmarks/fuzz_readers.py --minutes 10`` (needs ``atheris``).

Model files: text is refused with a ValueError, or it is a model that predicts, describes itself, and writes the same text
again. CSV files, plain and zipped: refused with one line, or the finite numbers of the columns. Anything else that is
raised, ten seconds for one input, or a gigabyte of memory is a finding, and its input is kept in ``--findings``.

A model file is mutated as text or as the tree that it is: a value replaced, a part taken from another place, left out or
repeated. Most mutated bytes would only be refused by the parser.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

TARGETS = ("models", "tables")
STRANGE = [0, 1, -1, 2, 10**9, 10**18, 10**400, 0.5, -0.0, 1e308, -1e308, 5e-324]
STRANGE += [True, None, "", "relu", "sign", [], {}, [0], "\ud800"]
ESTIMATORS: dict[str, Any] = {}  # filled after the imports have been instrumented
TABLES = [
    b"x,y\n1,2\n3,4\n",
    b"\xef\xbb\xbfx, y ,z\r\n1.5e3,-2,\"a\"\r\n\"3\",4,\"b\nc\"\r\n\r\n",
    b'"x","y"\n"1_0",nan\n,inf\n',
]


def check_model(data: bytes) -> None:
    """Read bytes as the text of a model; what is read must be a model."""
    try:
        text = data.decode("utf-8")
        estimator = ESTIMATORS.get(json.loads(text)["estimator"], ESTIMATORS["ConvexNNRegressor"])
    except (ValueError, LookupError, TypeError, RecursionError):
        text, estimator = data.decode("latin-1"), ESTIMATORS["ConvexNNRegressor"]
    try:
        model = estimator.from_json("{" + text.lstrip().removeprefix("{"))
    except ValueError:
        return
    again = model.to_json()
    if estimator.from_json(again).to_json() != again:
        raise AssertionError("the text of the model that was read is another")
    if hasattr(model, "forecast"):
        model.forecast(3)
        return
    answer = model.predict(np.linspace(-3, 3, 5)[:, None] * np.ones(model.n_features_in_))
    if len(answer) != 5:
        raise AssertionError("five rows, but not five predictions")
    if hasattr(model, "summary"):
        model.summary()


def check_table(data: bytes) -> None:
    """Read bytes as a CSV file; the first decides whether it is zipped, and how many columns are wanted."""
    from convexnn._cli._common import CommandError
    from convexnn._cli._tables import read_columns

    kind, data = data[:1], data[1:]
    zipped = kind > b"\x80"
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / ("table.csv.gz" if zipped else "table.csv")
        # half of the zipped ones are whole, the others whatever the bytes are
        path.write_bytes(gzip.compress(data, 1) if kind > b"\xc0" else data)
        names = ["x", "y"][: 1 + (kind[:1] > b"\x40")]
        try:
            columns = read_columns(str(path), names)
        except CommandError:
            return
    if columns.ndim != 2 or columns.shape[1] != len(names) or not len(columns) or not np.isfinite(columns).all():
        raise AssertionError(f"columns {columns}")


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every container and key of a tree of lists and dicts."""
    found, stack = [], [tree]
    while stack:
        part = stack.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        for key in keys:
            found.append((part, key))
            stack.append(part[key])
    return found


def mutate_model(data: bytes, max_size: int, seed: int) -> bytes:
    """Change one place of the tree of a model, or its bytes."""
    import atheris

    rng = random.Random(seed)
    try:
        tree = json.loads(data)
        where = places(tree)
    except (ValueError, RecursionError):
        where = []
    if not where or rng.random() < 0.2:
        return atheris.Mutate(data, max_size)
    for _ in range(rng.choice([1, 1, 2, 3])):
        part, key = rng.choice(where)
        action = rng.randrange(4)
        try:
            if action == 0:
                part[key] = rng.choice(STRANGE)
            elif action == 1:
                other, place = rng.choice(where)
                part[key] = json.loads(json.dumps(other[place]))
            elif action == 2:
                del part[key]
            elif isinstance(part, list):
                part.insert(key, part[key])
            elif isinstance(part[key], (int, float)):
                part[key] = part[key] * rng.choice([-1, 0, 2, 1e10])
        except (IndexError, KeyError, OverflowError, ValueError):
            continue  # an earlier change took the place away
    return json.dumps(tree).encode()[:max_size]


def seeds(target: str) -> list[bytes]:
    """Return inputs to begin with: the model files of the tests, or small tables."""
    if target == "tables":
        return [bytes([kind]) + table for table in TABLES for kind in (0, 0x41, 0x81, 0xC1)]
    folder = Path(__file__).resolve().parent.parent / "tests" / "data" / "releases"
    return [path.read_bytes() for path in sorted(folder.rglob("*.json")) if path.name != "answers.json"]


def run(target: str, minutes: float, findings: Path) -> None:
    """Fuzz one target in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["convexnn._export", "convexnn._cli"]):
        import convexnn
        import convexnn._cli._tables
    ESTIMATORS.update({name: cls for name, cls in vars(convexnn).items() if hasattr(cls, "from_json")})
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    corpus = Path(tempfile.mkdtemp())
    for k, data in enumerate(seeds(target)):
        (corpus / f"{k}").write_bytes(data)
    limits = [f"-max_total_time={60 * minutes:.0f}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=40000"]
    argv = [sys.argv[0], str(corpus), f"-artifact_prefix={findings}/{target}-", "-print_final_stats=1", *limits]
    if target == "models":
        atheris.Setup(argv, check_model, custom_mutator=mutate_model)
    else:
        atheris.Setup(argv, check_table)
    atheris.Fuzz()


def main() -> None:
    """Fuzz both targets, each in a process of its own, and fail if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="for each target")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for inputs that fail")
    parser.add_argument("--only", choices=TARGETS, help="one target, in this process")
    options = parser.parse_args()
    options.findings.mkdir(exist_ok=True)
    if options.only:
        run(options.only, options.minutes, options.findings)
        return
    failed = False
    for target in TARGETS:
        command = [sys.executable, __file__, "--only", target, "--minutes", str(options.minutes)]
        command += ["--findings", str(options.findings)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
        lines = done.stderr.splitlines()
        print(f"{target}:", *[line for line in lines if line.startswith("stat::number_of_executed_units")])
        if done.returncode:
            print(*lines[-60:], sep="\n")
        failed |= done.returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
