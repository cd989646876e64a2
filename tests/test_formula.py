"""The fitted function taken away: pieces, scipy, sympy, LaTeX, Python source, MLPRegressor, torch, ONNX."""

import ast
import re
import sys

import numpy as np
import pandas as pd
import pytest

from convexnn import ConvexNNRegressor

NETWORKS = [
    *({"activation": activation, "skip_connection": skip}
      for activation in ("relu", "leaky_relu", "abs", "sign", "threshold") for skip in (False, True)),
    {"depth": 4, "skip_connection": True},
    {"depth": 3, "activation": "leaky_relu", "negative_slope": 0.3},
    {"depth": 4, "activation": "leaky_relu", "negative_slope": 0.0},
    {"depth": 3, "activation": "abs"},
    {"depth": 3, "architecture": "symmetrized", "skip_connection": True},
    {"depth": 4, "activation": "sign", "architecture": "tree", "width": (2, 2)},
    {"depth": 3, "activation": "threshold", "architecture": "parallel", "width": 3},
    {"alpha": 1e3},
    {"alpha": 1e3, "depth": 3, "skip_connection": True},
]  # fmt: skip
RELU = [options for options in NETWORKS if options.get("activation", "relu") == "relu"]


def fit(options, n_inputs, names=None):
    """Return a fitted model, its inputs, and points at, beside, between and beyond them."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-2, 3, size=(30, n_inputs))
    y = np.sin(2 * X).sum(axis=1) + 0.2 * rng.normal(size=30)
    table = X if names is None else pd.DataFrame(X, columns=names)
    model = ConvexNNRegressor(**{"alpha": 0.01, "tol": 1e-4, **options}).fit(table, y)
    probes = np.concatenate([X, rng.uniform(-5, 6, size=(200, n_inputs))])
    if options.get("activation") in ("sign", "threshold"):  # a jump cannot be compared where rounding decides its side
        jumps = np.concatenate(model.breakpoints_)
        probes = probes[(np.abs(probes[:, :, None] - jumps) > 1e-5).all(axis=(1, 2))]
    return model, probes


networks = pytest.mark.parametrize("options", NETWORKS, ids=str)
inputs = pytest.mark.parametrize("n_inputs", [1, 2])


@networks
@inputs
def test_pieces_and_scipy_polynomials(options, n_inputs):
    model, X = fit(options, n_inputs)
    parts = [model.to_piecewise(j) for j in range(n_inputs)]
    for j, f in enumerate(parts):
        np.testing.assert_array_equal(f.breakpoints, model.breakpoints_[j])
        np.testing.assert_array_equal(f.slopes, model.slopes_[j])
        np.testing.assert_array_equal(f.to_ppoly().x[1:-1], f.breakpoints)
        np.testing.assert_allclose(f.to_ppoly()(f.breakpoints), f(f.breakpoints), rtol=0, atol=1e-12)
    expected = model.predict(X)
    np.testing.assert_allclose(sum(f(x) for f, x in zip(parts, X.T, strict=True)), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sum(f.to_ppoly()(x) for f, x in zip(parts, X.T, strict=True)), expected, rtol=0, atol=1e-12)


def test_integral_and_minimum_of_the_polynomial():
    f = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 1, -1]).to_piecewise()
    assert f.to_ppoly().integrate(0, 3) == pytest.approx(0.5 + 0.0)
    assert f.to_ppoly().roots().tolist() == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize("feature", [None, 2, -1, True, "x"])
def test_a_feature_must_be_named(feature):
    model, _ = fit({}, 2)
    with pytest.raises(ValueError, match="feature must be"):
        model.to_piecewise(feature)


@networks
@inputs
def test_sympy(options, n_inputs):
    sympy = pytest.importorskip("sympy", reason="needs the extra export")
    model, X = fit(options, n_inputs)
    expression = model.to_sympy()
    symbols = sorted(expression.free_symbols, key=str)
    assert {str(symbol) for symbol in symbols} <= ({"x"} if n_inputs == 1 else {"x0", "x1"})
    columns = [X[:, int(str(symbol)[1:] or 0)] for symbol in symbols]
    values = sympy.lambdify(symbols, expression, "numpy")(*columns)
    np.testing.assert_allclose(np.broadcast_to(values, len(X)), model.predict(X), rtol=0, atol=1e-12)


@networks
@inputs
def test_python_source_is_exact_and_needs_nothing(options, n_inputs):
    model, X = fit(options, n_inputs)
    source = model.to_python()
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [node.module for node in imports] == ["bisect"]
    namespace = {}
    exec(source, namespace)
    values = [namespace["predict"](*row) for row in X.tolist()]
    np.testing.assert_array_equal(values, model.predict(X))


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (["dose", "time"], ["dose", "time"]),
        (["dose (mg)", "time"], ["x0", "x1"]),
        (['"""\nimport os\n"""', "b"], ["x0", "x1"]),
        (["class", "b"], ["x0", "x1"]),
        (["values", "b"], ["x0", "x1"]),
    ],
)
def test_column_names_become_arguments_or_nothing(names, used):
    model, _ = fit({}, 2, names)
    source = model.to_python()
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    assert [argument.arg for argument in functions[0].args.args] == used
    assert "import os" not in source


ROW = re.compile(r"(?P<value>\S+(?: \\cdot 10\^\{-?\d+\})?)(?: (?P<sign>[+-]) (?P<slope>.+?) \\, "
                 r"\(x (?P<shift>[+-]) (?P<anchor>.+)\))? & (?P<condition>.*)")  # fmt: skip


def number(text):
    mantissa, _, exponent = text.partition(r" \cdot 10^{")
    return float(mantissa + ("e" + exponent.rstrip("}") if exponent else ""))


@pytest.mark.parametrize("options", [options for options in NETWORKS if "alpha" not in options], ids=str)
def test_latex_read_back(options):
    model, X = fit(options, 1)
    text = model.to_latex(digits=17)
    rows = [ROW.fullmatch(row) for row in text[text.index("\n") + 1 : text.rindex("\n")].split(" \\\\\n")]
    f = model.to_piecewise()
    assert len(rows) == f.slopes.size
    piece = np.searchsorted(f.breakpoints, X[:, 0], side="right")
    values = []
    for x, row in zip(X[:, 0], [rows[i] for i in piece], strict=True):
        value = number(row["value"])
        if row["slope"]:
            anchor = number(row["anchor"]) * (-1 if row["shift"] == "+" else 1)
            value += number(row["slope"]) * (-1 if row["sign"] == "-" else 1) * (x - anchor)
        low, _, high = row["condition"].partition(" x")
        assert not low.endswith(r"\le") or number(low.removesuffix(r" \le")) <= x
        assert not high.startswith(" < ") or x < number(high.removeprefix(" < "))
        values.append(value)
    np.testing.assert_allclose(values, model.predict(X), rtol=0, atol=1e-12)


def test_latex_of_a_line():
    model = ConvexNNRegressor(alpha=1e9, skip_connection=True).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    line = re.fullmatch(r"f\(x\) = \\left\((\S+) \+ 2 \\, \(x - (\S+)\)\\right\)", model.to_latex())
    assert float(line[1]) - 2.0 * float(line[2]) == 1.0


def test_latex_names_and_digits():
    model, _ = fit({}, 2, ["dose_mg", "a%b"])
    assert model.to_latex(3).startswith(r"f(\mathrm{dose\_mg}, \mathrm{a\%b}) = ")
    for digits in (0, 18, True, 2.5):
        with pytest.raises(ValueError, match="digits"):
            model.to_latex(digits)


@pytest.mark.parametrize("options", RELU, ids=str)
@inputs
def test_mlp_regressor(options, n_inputs):
    model, X = fit(options, n_inputs, ["a", "b"][:n_inputs])
    mlp = model.to_mlp_regressor()
    table = pd.DataFrame(X, columns=["a", "b"][:n_inputs])
    np.testing.assert_allclose(mlp.predict(table), model.predict(table), rtol=0, atol=1e-12)
    assert mlp.get_params()["hidden_layer_sizes"] == tuple(len(bias) for bias in mlp.intercepts_[:-1])
    assert mlp.n_layers_ == model.depth + 1


@pytest.mark.parametrize("activation", ["leaky_relu", "abs", "sign", "threshold"])
def test_mlp_regressor_is_relu_only(activation):
    with pytest.raises(ValueError, match="relu"):
        fit({"activation": activation}, 1)[0].to_mlp_regressor()


@networks
@inputs
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
def test_torch(options, n_inputs, dtype, tolerance):
    torch = pytest.importorskip("torch", reason="needs the extra export")
    model, X = fit(options, n_inputs)
    module = model.to_torch(dtype=getattr(torch, dtype))
    with torch.no_grad():
        values = module(torch.as_tensor(X.astype(dtype))).numpy()
    assert values.dtype == dtype
    compare(values, model, X, tolerance)
    weights = sum(parameter.numel() for parameter in module.parameters())
    units = model.network_.units
    assert weights == sum(block.size for block in units.weights + units.biases) + model.coef_.size + 1 + n_inputs * (
        model.network_.skip_coef is not None
    )


@networks
@inputs
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6)])
def test_onnx(tmp_path, options, n_inputs, dtype, tolerance):
    pytest.importorskip("onnx", reason="needs the extra export")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    model, X = fit(options, n_inputs)
    path = tmp_path / "model.onnx"
    model.to_onnx(path, dtype=dtype)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (values,) = session.run(None, {"X": X.astype(dtype)})
    assert values.dtype == dtype
    compare(values, model, X, tolerance)
    assert float(session.get_modelmeta().custom_metadata_map["alpha_"]) == model.alpha_


def compare(values, model, X, tolerance):
    """Compare on the scale of the largest prediction, at the inputs as the type of the values has them."""
    expected = model.predict(X.astype(values.dtype).astype(np.float64))
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


def test_onnx_refuses_other_types(tmp_path):
    with pytest.raises(ValueError, match="dtype"):
        fit({}, 1)[0].to_onnx(tmp_path / "m.onnx", dtype="float16")


@pytest.mark.parametrize(("method", "library"), [("to_torch", "torch"), ("to_sympy", "sympy"), ("to_onnx", "onnx")])
def test_a_missing_library_is_named(tmp_path, monkeypatch, method, library):
    monkeypatch.setitem(sys.modules, library, None)
    arguments = [tmp_path / "m.onnx"] if method == "to_onnx" else []
    with pytest.raises(ImportError, match=rf"needs {library}: .*convexnn\[export\]"):
        getattr(fit({}, 1)[0], method)(*arguments)
    assert list(tmp_path.iterdir()) == []
