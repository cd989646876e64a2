"""Mutation tests: which small changes of the code do the tests not notice?

    python benchmarks/mutants.py                               # the samples of docs/mutation.md
    python benchmarks/mutants.py convexnn/duality.py --most 0  # all mutants of one file
    python benchmarks/mutants.py convexnn/duality.py --line "theta = "

cosmic-ray makes the mutants of a file, of which a random sample with a fixed seed is run, each in a fork of a process that
has imported everything but the package, with the tests that reach the changed line, quick ones first, until one fails.
Which tests these are, and how long they take, is measured first. A mutated kernel runs as Python. All happens in a copy of
the tree. The exit status is 1 if there is a survivor that docs/mutation.md does not name.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from compileall import compile_dir
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from py_compile import PycInvalidationMode

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", MPLBACKEND="Agg")
# imported once, before any fork; the package itself is not
for name in ("numpy", "scipy.optimize", "scipy.stats", "sklearn.ensemble", "sklearn.utils.estimator_checks", "pandas"):
    importlib.import_module(name)
for name in ("clarabel", "cvxpy", "hypothesis.extra.numpy", "matplotlib.pyplot"):
    importlib.import_module(name)

import coverage  # noqa: E402
import numba  # noqa: E402
import pytest  # noqa: E402
from cosmic_ray.ast import ast_nodes, get_ast  # noqa: E402
from cosmic_ray.mutating import MutationVisitor  # noqa: E402
from cosmic_ray.plugins import get_operator, operator_names  # noqa: E402
from hypothesis import Phase, settings  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
FORWARD = "optimality::test_network_computes_what_predict_says optimality::test_network_costs_what_the_lasso_costs"
PIECES = "optimality::test_pieces_are_the_network optimality::test_features_describe_the_fit"
CHAINS = "bounded_switches::test_split_keeps_the_bound bounded_switches::test_layers_add_up_to_the_range"
# where the tests of a file are looked for: tests/test_NAME.py, or one test of it; the quicker the better
TESTS = {
    "duality.py": "duality certificate",
    "certificate.py": "certificate",
    "network.py": f"network {FORWARD} architectures::test_magnitudes_are_balanced",
    "model.py": f"certificate {FORWARD} {PIECES}",
    "piecewise.py": f"piecewise certificate {PIECES}",
    "dictionaries/ramps.py": f"pricing_ramps representation {PIECES}",
    "dictionaries/steps.py": f"pricing_ramps representation {PIECES}",
    "dictionaries/capped.py": "pricing_capped pricing_degenerate representation",
    "dictionaries/folds.py": "pricing_reflections pricing_reflections4 pricing_degenerate",
    "dictionaries/reflections.py": "pricing_reflections pricing_degenerate",
    "dictionaries/reflections4.py": "pricing_reflections4 pricing_degenerate",
    "dictionaries/deep_reflections.py": "pricing_deep_reflections pricing_degenerate",
    "dictionaries/monotone.py": "pricing_monotone pricing_degenerate",
    "dictionaries/chains.py": CHAINS,
    "dictionaries/switches.py": "pricing_switches pricing_degenerate representation",
    "dictionaries/symmetrized.py": "pricing_symmetrized pricing_degenerate representation",
    "dictionaries/enumeration.py": "pricing_degenerate pricing_reflections",
    "dictionaries/selection.py": "selection pricing_reflections",
    "kernels/hinges.py": "pricing_capped pricing_reflections",
    "kernels/sweeps.py": "pricing_ramps",
    "kernels/reflections.py": "pricing_reflections pricing_degenerate",
    "kernels/reflections4.py": "pricing_reflections4 pricing_degenerate",
    "kernels/monotone.py": "pricing_monotone pricing_degenerate",
    "kernels/switches.py": "pricing_switches pricing_degenerate",
}
BITS = {"RShift", "LShift", "BitOr", "BitAnd", "BitXor"}


@dataclass(frozen=True)
class Mutation:
    """One change of one file: the operator of cosmic-ray, where it applies, and what it does to its line."""

    file: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: survived (tests run), killed (by), or not reached by any test."""

    status: str
    by: str
    seconds: float


# ---- mutants ---------------------------------------------------------------------------------------------------------


def mutations(source: str) -> list[tuple[str, int, int]]:
    """Return operator, occurrence and line of the mutants that may behave in another way.

    Left out: annotations, and operators that floats and None do not have (bits, order of None), which any test would kill.
    """
    annotated = [node for parent in ast.walk(ast.parse(source)) for node in _annotations(parent)]
    tree, found = get_ast(source), []
    for name in sorted(operator_names()):
        kind = get_operator(name)
        if kind.arguments() or _idle(*(name.split("_") + ["", ""])[:3]):
            continue
        operator, occurrence = kind(), 0
        for node in ast_nodes(tree):
            for start, _ in operator.mutation_positions(node):
                if not any((a.lineno, a.col_offset) <= start <= (a.end_lineno, a.end_col_offset) for a in annotated):
                    found.append((name, occurrence, start[0]))
                occurrence += 1
    return found


def _annotations(node: ast.AST) -> Iterator[ast.expr]:
    for field in ("annotation", "returns"):
        if (annotation := getattr(node, field, None)) is not None:
            yield annotation


def _idle(family: str, before: str, after: str) -> bool:
    if family == "core/ReplaceBinaryOperator":
        return (after in BITS) != (before in BITS)
    return family == "core/ReplaceComparisonOperator" and (before.startswith("Is") != after.startswith("Is"))


def sample(file: str, source: str, take: Callable[[str, str], bool]) -> Iterator[tuple[Mutation, str]]:
    """Yield different mutants in random order, the same each time, with their code; of operators and lines to take."""
    found, seen, lines = mutations(source), {source}, source.splitlines()
    random.Random(file).shuffle(found)
    for name, occurrence, line in found:
        if not take(name.removeprefix("core/"), lines[line - 1].strip()):
            continue
        code = MutationVisitor.mutate_code(source, get_operator(name)(), occurrence)
        if code is None or code in seen:
            continue
        seen.add(code)
        old, new = source.splitlines(), code.splitlines()
        first = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)) - 1)
        after = new[first].strip() if len(old) == len(new) else "(removed)"
        yield Mutation(file, name.removeprefix("core/"), occurrence, first + 1, old[first].strip(), after), code


def statement(source: str, line: int) -> range:
    """Return the lines of the innermost statement there, without its body."""
    lines = range(line, line + 1)
    for node in ast.walk(ast.parse(source)):  # outer nodes come before inner ones
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or 0
            lines = range(node.lineno, max(end, node.lineno) + 1)
    return lines


# ---- tests, in forks -------------------------------------------------------------------------------------------------


class Watch:
    """A pytest plugin: chosen tests in their order, a limit on processor time for each, and what happened."""

    def __init__(self, limits: dict[str, float] | None, measured: coverage.Coverage | None):
        self.limits, self.measured = limits, measured
        self.seconds: dict[str, float] = {}
        self.failed = ""

    def pytest_sessionstart(self) -> None:
        """Keep the examples of the suite, but do not make a failing one smaller."""
        phases = (Phase.explicit, Phase.generate)
        quick = settings.get_profile("quick")
        settings.register_profile("mutants", parent=quick, phases=phases, report_multiple_bugs=False)
        settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Order the tests as the limits are."""
        if self.limits is not None:
            rank = {name: n for n, name in enumerate(self.limits)}
            items[:] = sorted((item for item in items if item.nodeid in rank), key=lambda item: rank[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        """Count processor time, which does not go on while the machine does something else."""
        if self.measured is not None:
            self.measured.switch_context(item.nodeid)
        if self.limits is not None:
            signal.setitimer(signal.ITIMER_PROF, 5.0 * self.limits[item.nodeid] + 4.0)
        begun = time.process_time()
        done = yield
        self.seconds[item.nodeid] = time.process_time() - begun
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def forked(work: Callable[[], object]) -> tuple[int, object]:
    """Run it in a fork of this process, and return the status of its end and what it returned."""
    answer = Path(tempfile.mkstemp()[1])
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.setsid()
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))
        signal.alarm(1800)
        try:
            answer.write_text(json.dumps(work()))
        finally:
            os._exit(0)
    status = os.waitpid(child, 0)[1]
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it may have started
    text = answer.read_text()
    answer.unlink()
    return status, json.loads(text) if text else None


def run_tests(files: list[str], limits: dict[str, float] | None, interpreted: bool) -> dict[str, object]:
    """Run tests in this process, until one fails where limits are given, else with the coverage of each."""
    sys.dont_write_bytecode = limits is not None
    if interpreted:
        numba.config.DISABLE_JIT = 1
        os.environ["NUMBA_DISABLE_JIT"] = "1"
        for module in [name for name in sys.modules if name.startswith("convexnn")]:
            del sys.modules[module]
    cover = coverage.Coverage(data_file=None, source=["convexnn"], config_file=False) if limits is None else None
    watch = Watch(limits, cover)
    if cover:
        cover.start()
    options = ["-q", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    options += ["-k", "not scikit_learn_checks", *(["-x"] if limits is not None else [])]
    code = pytest.main([*options, *files], plugins=[watch])
    reached: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    if cover:
        cover.stop()
        data = cover.get_data()
        for path in data.measured_files():
            file = Path(path).relative_to(Path("convexnn").resolve()).as_posix()
            for line, contexts in data.contexts_by_lineno(path).items():
                for context in contexts:
                    reached[file][context].append(line)
    return {"code": int(code), "failed": watch.failed, "seconds": watch.seconds, "reached": reached}


def warm() -> None:
    """Load the kernels, compiled, into this process, and forget the rest of the package."""
    for path in sorted(Path("convexnn/kernels").glob("*.py")):
        importlib.import_module(f"convexnn.kernels.{path.stem}")
    sys.path.insert(0, "tests")
    importlib.import_module("test_interpreted").answers()
    sys.path.remove("tests")
    for name in list(sys.modules):
        if name == "test_interpreted" or (name.startswith("convexnn") and not name.startswith("convexnn.kernels")):
            del sys.modules[name]
    gc.collect()
    gc.freeze()  # pytest collects garbage twice a run, most of its time if it had to look at all that is loaded


@dataclass(frozen=True)
class Baseline:
    """The tests of a file: how long each takes, and the lines that it reaches."""

    seconds: dict[str, float]
    reached: dict[str, set[int]]

    def choose(self, lines: range, at_most: float) -> dict[str, float]:
        """Return the tests that reach a line, quick and different ones first, and their seconds."""
        hit = [test for test in self.seconds if self.reached.get(test, set()).intersection(lines)]
        if not hit and self.reached.get("", set()).intersection(lines):
            hit = list(self.seconds)  # what runs on import
        alike: Counter[str] = Counter()
        order = []
        for test in sorted(hit, key=self.seconds.__getitem__):
            alike[test.split("[")[0]] += 1
            order.append(((0.02 + self.seconds[test]) * alike[test.split("[")[0]], test))
        chosen, total = {}, 0.0
        for _, test in sorted(order):
            total += self.seconds[test]
            if total > at_most and chosen:
                break
            chosen[test] = self.seconds[test]
        return chosen


def measure(name: str, interpreted: bool) -> dict:
    """Run a file of tests as it is: the seconds of each test, and the lines of the package that it reaches."""
    file, _, test = name.partition("::")
    texts = [Path(f"tests/test_{file}.py"), *sorted(Path("convexnn").rglob("*.py"))]
    version = zlib.crc32(b"".join(path.read_bytes() for path in texts))
    stored = Path("..") / f"{name.replace('::', '-')}-{'interpreted' if interpreted else 'compiled'}-{version}.json"
    if not stored.exists():
        begun = time.perf_counter()
        done = forked(lambda: run_tests([f"{texts[0]}::{test}" if test else str(texts[0])], None, interpreted))[1]
        print(f"measured     {time.perf_counter() - begun:6.1f} s  {name}", flush=True)
        if not isinstance(done, dict) or done["code"] != 0:
            raise SystemExit(f"tests/test_{name}.py fails without a mutant: {done and done['failed']}")
        stored.write_text(json.dumps(done))
    return json.loads(stored.read_text())


def baseline(file: str) -> Baseline:
    """Measure the tests of a file; a kernel's as the Python that it is written in."""
    seconds: dict[str, float] = {}
    reached: dict[str, set[int]] = {}
    for name in TESTS[file].split():
        done = measure(name, file.startswith("kernels/"))
        seconds |= done["seconds"]
        for test, lines in done["reached"].get(file, {}).items():
            reached[test] = reached.get(test, set()) | set(lines)
    return Baseline(seconds, reached)


def run_mutant(known: Baseline, path: Path, source: str, code: str, line: int, at_most: float) -> Outcome:
    """Run the tests that reach a mutant."""
    limits = known.choose(statement(source, line), at_most)
    if not limits:
        return Outcome("not reached", "", 0.0)
    files = list(dict.fromkeys(test.split("::")[0] for test in limits))
    begun = time.perf_counter()
    path.write_text(code)
    status, done = forked(lambda: run_tests(files, limits, "kernels" in path.parts))
    path.write_text(source)
    seconds = round(time.perf_counter() - begun, 2)
    if not isinstance(done, dict):
        return Outcome("killed", f"signal {status & 127}", seconds)
    if done["code"] == 0:
        return Outcome("survived", f"{len(limits)} tests", seconds)
    return Outcome("killed", done["failed"] or f"pytest {done['code']}", seconds)


# ---- results ---------------------------------------------------------------------------------------------------------


def key(mutation: Mutation) -> str:
    """Return how docs/mutation.md names a mutant."""
    return f"`{mutation.before}` → `{mutation.after}`"


def report(results: list[dict], totals: dict[str, int], judged: str) -> int:
    """Print the table and the survivors; return how many of these are not judged yet."""
    print("| file | mutants | run | killed | survived | no test |\n| --- | --- | --- | --- | --- | --- |")
    for file, total in totals.items():
        states = Counter(r["status"] for r in results if r["file"] == file)
        numbers = [total, states.total(), states["killed"], states["survived"], states["not reached"]]
        print(f"| `{file}` |", *(f"{number} |" for number in numbers))
    new = 0
    for r in results:
        if r["status"] != "killed" and r["file"] in totals:
            name = key(Mutation(**{field: r[field] for field in Mutation.__annotations__}))
            known = name in judged
            new += not known
            print(f"{'judged' if known else 'NEW   '} {r['status']}: {r['file']}:{r['line']} {name}")
    return new


def enter_copy(folder: Path) -> None:
    """Copy the tree there, and make the process one that is ready to fork."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for part in ("convexnn", "tests"):
        shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / part, tree / part)
    os.chdir(tree)
    os.environ.update(PYTHONPATH=str(tree), NUMBA_CACHE_DIR=str(folder / "numba"))
    numba.config.CACHE_DIR = str(folder / "numba")
    sys.path.insert(0, str(tree))
    # by contents: a mutant may have the size and the second of what it replaces
    compile_dir("convexnn", quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    warm()


def run_file(file: str, options: argparse.Namespace, known: dict[tuple[str, ...], dict]) -> Iterator[dict]:
    """Yield the results of mutants of a file, known ones or new."""
    path, tests = Path("convexnn") / file, None
    source = path.read_text()
    alive = {(r["operator"], r["before"]) for r in known.values() if r["status"] != "killed"}
    limit = None if options.again or options.line else options.most or None
    mutants = sample(file, source, lambda *where: (where in alive) if options.again else options.line in where[1])
    for mutation, code in itertools.islice(mutants, limit):
        old = known.get((mutation.operator, mutation.before, mutation.after))
        if old and not (options.again and old["status"] != "killed"):
            yield old
            continue
        if options.again and not old:
            continue
        tests = tests or baseline(file)
        outcome = run_mutant(tests, path, source, code, mutation.line, options.seconds)
        said = f"{outcome.status:12} {outcome.seconds:6.1f} s  {file}:{mutation.line} {key(mutation)} {outcome.by}"
        print(said, flush=True)
        yield {**asdict(mutation), **asdict(outcome)}


def main() -> int:
    """Run the mutants of the files named, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=list(TESTS), help="files of the package")
    parser.add_argument("--most", type=int, default=12, help="mutants of a file; 0: all")
    parser.add_argument("--seconds", type=float, default=10.0, help="of tests for one mutant")
    parser.add_argument("--line", default="", help="only mutants of lines that contain this, all of them")
    parser.add_argument("--folder", type=Path, help="a folder to keep: what is done there is not done again")
    parser.add_argument("--again", action="store_true", help="run those there that were not killed, and no others")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        stored = folder / "results.jsonl"
        stored.touch()
        known = [json.loads(line) for line in stored.read_text().splitlines()]
        enter_copy(folder)
        totals, results = {}, []
        for file in (name.removeprefix("convexnn/") for name in options.files):
            totals[file] = len(mutations((Path("convexnn") / file).read_text()))
            old = {(r["operator"], r["before"], r["after"]): r for r in known if r["file"] == file}
            for result in run_file(file, options, old):
                results.append(result)
                with stored.open("a") as out:
                    out.write(json.dumps(result) + "\n")
        os.chdir(ROOT)
        return int(report(results, totals, (ROOT / "docs/mutation.md").read_text()) > 0)


if __name__ == "__main__":
    sys.exit(main())
