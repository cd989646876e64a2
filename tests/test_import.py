"""What `import convexnn` brings along, what it offers, and that modules import one way only."""

import ast
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import convexnn

PACKAGE = Path(convexnn.__file__).parent
ALLOWED = {
    "ConvexNNRegressor",
    "ConvexNNRegressorCV",
    "ConvexNNClassifier",
    "ConvexNNQuantileRegressor",
    "ConvexNNAutoregressor",
    "Compressed",
    "compress",
    "convex_nn_path",
    "fit_many",
    "alpha_max",
    "Network",
    "__version__",
}
# Lowest first: a module imports from its own layer and from layers above it in this list, never from below.
LAYERS = [
    {"__init__.py:version", "_version", "_collector", "_deferred"},
    {
        *("validation", "_validation", "series", "windows", "conformal", "losses", "architecture", "activations"),
        *("canonical", "extended", "sorting"),
    },
    {"progress", "_threads"},
    {"kernels"},
    {"compression", "rounding"},
    {"dictionaries"},
    {"duality"},
    {"solvers"},
    {"network", "piecewise"},
    {"model", "training", "certificate", "polishing"},
    {"path", "information", "stacking", "_export"},
    {"_base"},
    {
        *("_regressor", "_compress", "_path", "_autoregressor", "_intervals", "_many", "_classifier", "_quantile"),
        *("_folds", "_cv"),
    },
    {"closed_forms", "tightness", "landscape"},
    {"plotting", "datasets"},
    {"_explore"},
    {"_demo", "_cli", "__main__"},
]


def modules():
    """Return the path of every module of the package below its root file."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def layer(name):
    """Return the place in the list of the module or folder with this name."""
    found = [place for place, names in enumerate(LAYERS) if name in names]
    assert found, f"convexnn.{name} has no place in the order of layers: add it where it belongs"
    return found[0]


def imported(path):
    """Return the names, directly under the package, that a module imports anywhere in its text."""
    names = set()
    parent = ["convexnn", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = parent[: len(parent) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names.update([f"{base}.{alias.name}" for alias in node.names] if base == "convexnn" else [base])
    return {name.split(".")[1] for name in names if name.startswith("convexnn.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = layer(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    # the public names are defined below the command line, by the root
    upward = {name for name in imported(path) - ALLOWED if layer(name) > own}
    assert not upward, f"{path.name} imports from later layers: {sorted(upward)}"


@pytest.mark.parametrize("folder", ["dictionaries", "solvers", "kernels"])
def test_no_cycle_inside_a_folder(folder):
    graph = {}
    for path in (PACKAGE / folder).glob("*.py"):
        text = path.read_text(encoding="utf-8")
        froms = [node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
        graph[path.stem] = {name.split(".")[2] for name in froms if name.startswith(f"convexnn.{folder}.")}
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def run(code):
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_import_is_light():
    code = "import sys, sklearn.base, sklearn.utils.validation; before = set(sys.modules); import convexnn"
    added = run(f"{code}; print(*sorted(set(sys.modules) - before))").split()
    assert "convexnn" in added
    heavy = {"numba", "llvmlite", "matplotlib", "pandas", "cvxpy", "torch", "onnx", "sympy", "dask", "pyarrow"}
    assert not heavy & set(added)


def test_what_scikit_learn_imports_and_does_not_use_is_put_off():
    code = """
import sys
from convexnn import ConvexNNRegressor
ConvexNNRegressor().fit([[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 0.0, 1.0])
print("scipy.stats" in sys.modules, "stats" in vars(sys.modules["scipy"]))
from sklearn.impute import SimpleImputer
filled = SimpleImputer(strategy="most_frequent").fit_transform([[1.0], [1.0], [float("nan")]])
print(filled[2, 0], "scipy.stats" in sys.modules)
from scipy import stats
print(type(stats).__name__, sys.modules["scipy"].stats is stats is sys.modules["scipy.stats"])
"""
    assert run(code).splitlines() == ["False False", "1.0 True", "module True"]


@pytest.mark.parametrize(
    "use",
    [
        "import wave; wave.open",
        "from wave import open",
        "import wave; hasattr(wave, 'nothing')",
        "[threading.Thread(target=lambda: __import__('wave').open).start() for _ in range(8)]",
    ],
)
def test_a_module_put_off_is_there_when_it_is_asked_for(use):
    code = f"""
import sys, threading
from convexnn._deferred import deferred
with deferred("wave"):
    import wave as early
    put_off = "Wave_read" not in vars(early)
    {use}
    while threading.active_count() > 1: pass
    real = sys.modules["wave"]
import wave
print(put_off, wave is real is not early, early.Wave_read is wave.Wave_read, hasattr(early, "nothing"))
"""
    assert run(code) == "True True True False"


def test_nothing_is_put_off_beside_other_threads():
    code = """
import threading
from convexnn._deferred import deferred
end = threading.Event()
threading.Thread(target=end.wait).start()
with deferred("wave"):
    import wave
    print("Wave_read" in vars(wave))
end.set()
"""
    assert run(code) == "True"


def test_a_module_put_off_leaves_no_trace_if_the_import_fails_and_none_if_it_was_there():
    code = """
import sys
from convexnn._deferred import deferred
try:
    with deferred("wave"):
        import wave, nothing_of_this_name
except ImportError as error:
    print(error.name, "wave" in sys.modules)
import wave
with deferred("wave"):
    import wave as again
print(again is wave, sys.modules["wave"] is wave)
"""
    assert run(code).splitlines() == ["nothing_of_this_name False", "True True"]


@pytest.mark.parametrize("enabled", ["enable", "disable"])
def test_collector_is_as_it_was_after_names_are_imported(enabled):
    code = f"import gc; gc.{enabled}(); from convexnn import ConvexNNRegressor; from convexnn.kernels import sweeps"
    assert run(f"{code}; print(gc.isenabled())") == str(enabled == "enable")


def test_collector_rests_while_a_name_is_imported_even_if_that_fails(monkeypatch):
    seen = []

    def import_module(name):
        seen.append(gc.isenabled())
        raise ImportError(name)

    monkeypatch.setattr(convexnn, "import_module", import_module)
    monkeypatch.delitem(vars(convexnn), "fit_many", raising=False)
    with pytest.raises(ImportError, match=r"convexnn\._many"):
        _ = convexnn.fit_many
    assert seen == [False]
    assert gc.isenabled()


@pytest.mark.parametrize("frozen", [False, True])
def test_what_is_made_while_the_collector_rests_is_old_and_what_others_froze_stays_frozen(frozen):
    code = f"""
import gc
from convexnn._collector import resting
if {frozen}:
    gc.freeze()
before = gc.get_freeze_count()
with resting:
    made = [[]]
print(any(one is made for one in gc.get_objects(generation=2)), gc.get_freeze_count() == before)
"""
    assert run(code) == f"{not frozen} True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_collector_does_not_rest_for_ever_in_a_forked_process():
    code = """
import gc, os
from convexnn._collector import resting
with resting:
    if os.fork() == 0:
        print(gc.isenabled(), flush=True)
        with resting:
            pass
        os._exit(print(gc.isenabled(), flush=True))
    os.wait()
"""
    assert run(code).split() == ["True", "True"]


def test_bad_input_is_refused_before_kernels_are_loaded():
    code = """
import sys, numpy as np
from convexnn import ConvexNNRegressor
x, y = np.arange(5.0)[:, None], np.arange(5.0)
refused = 0
cases = [({"alpha": -1.0}, x, None), ({"activation": "tanh"}, x, None), ({}, x * np.nan, None), ({}, x, -y)]
for options, X, w in cases:
    try:
        ConvexNNRegressor(**options).fit(X, y, sample_weight=w)
    except ValueError:
        refused += 1
print(refused, "numba" in sys.modules)
"""
    assert run(code) == "4 False"


def test_public_names():
    public = set(convexnn.__all__)
    assert {"ConvexNNRegressor", "Network", "alpha_max"} <= public <= ALLOWED
    for name in public - {"__version__"}:
        assert getattr(convexnn, name).__doc__, name


def test_every_parameter_and_attribute_is_documented():
    text = convexnn.ConvexNNRegressor.__doc__
    model = convexnn.ConvexNNRegressor().fit([[0.0], [1.0], [2.0], [4.0]], [0.0, 1.0, 0.0, 1.0])
    names = [*model.get_params(), *(name for name in vars(model) if name.endswith("_") and not name.startswith("_"))]
    assert [name for name in names if name not in text] == []
