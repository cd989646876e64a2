"""The methods of a fitted estimator that give away its function, its network, or itself."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from convexnn._export import formula, networks
from convexnn._export.stored import NetworkMixin
from convexnn.model import Model
from convexnn.piecewise import PiecewiseLinear


class ExportMixin(NetworkMixin):
    """What an estimator with a fitted ``_model`` can be taken away as."""

    _model: Model

    def _names(self) -> list[str] | None:
        names = getattr(self, "feature_names_in_", None)
        return None if names is None else [str(name) for name in names]

    def _formula_pieces(self) -> tuple[list[PiecewiseLinear], float]:
        """Return pieces and constant; with one input the constant is part of the piece."""
        check_is_fitted(self)
        pieces, offset = self._model.pieces, self._model.offset
        return ([pieces[0].raised(offset)], 0.0) if len(pieces) == 1 else (list(pieces), offset)

    def to_piecewise(self, feature: int | None = None) -> PiecewiseLinear:
        """Return the fitted function of one input, exactly.

        Parameters
        ----------
        feature : int, default=None
            The input. It may be left out where there is one only.

        Returns
        -------
        PiecewiseLinear
            Callable on arrays of any shape, with ``breakpoints``, ``slopes`` and ``to_ppoly()``. With several inputs the
            predictions are the sum over all inputs of these functions; the first one holds the constant.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> f = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_piecewise()
        >>> f.breakpoints.tolist(), f.slopes.tolist(), float(f(2.0))
        ([1.0], [0.0, 1.5], 1.5)
        """
        check_is_fitted(self)
        pieces = self._model.pieces
        if feature is None and len(pieces) > 1:
            raise ValueError(f"feature must be given where there are several inputs: 0 to {len(pieces) - 1}")
        which = 0 if feature is None else feature
        if isinstance(which, bool) or not isinstance(which, (int, np.integer)) or not 0 <= which < len(pieces):
            raise ValueError(f"feature must be an int from 0 to {len(pieces) - 1}, got {feature!r}")
        return pieces[which].raised(self._model.offset) if which == 0 else pieces[which]

    def to_sympy(self) -> Any:
        """Return the fitted function as a sympy expression; needs sympy.

        Returns
        -------
        sympy.Expr
            A ``Piecewise`` (a sum of them with several inputs) in real symbols. They are named after the columns if all
            of these are Python identifiers, and x, or x0, x1, ... otherwise.

        Examples
        --------
        >>> import pytest
        >>> sympy = pytest.importorskip("sympy", reason="an extra of its own")
        >>> from convexnn import ConvexNNRegressor
        >>> expression = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_sympy()
        >>> x = sympy.Symbol("x", real=True)
        >>> float(expression.subs(x, 2))
        1.5
        """
        pieces, offset = self._formula_pieces()
        return formula.to_sympy(pieces, offset, formula.identifiers(self._names(), len(pieces)))

    def to_latex(self, digits: int = 6) -> str:
        r"""Return the fitted function as LaTeX, for a display of the package amsmath.

        Parameters
        ----------
        digits : int, default=6
            Significant digits of the numbers; 17 are exact.

        Returns
        -------
        str
            The function, a ``cases`` environment for each input.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> print(ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_latex())
        f(x) = \begin{cases}
        0 & x < 1 \\
        0 + 1.5 \, (x - 1) & 1 \le x
        \end{cases}
        """
        if isinstance(digits, bool) or not isinstance(digits, (int, np.integer)) or not 1 <= digits <= 17:
            raise ValueError(f"digits must be an int from 1 to 17, got {digits!r}")
        pieces, offset = self._formula_pieces()
        return formula.to_latex(pieces, offset, self._names(), int(digits))

    def to_python(self) -> str:
        """Return the source of a plain Python function, which needs neither this package nor numpy.

        Returns
        -------
        str
            A module with the function ``predict``, one float argument for each input, named as in :meth:`to_sympy`.
            Its results are those of ``predict``, bit for bit, but where functions of several inputs are a million times
            the targets and cancel: ``predict`` adds those up in extended precision.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> source = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_python()
        >>> namespace = {}
        >>> exec(source, namespace)
        >>> namespace["predict"](2.0)
        1.5
        """
        check_is_fitted(self)
        pieces = self._model.pieces
        return formula.to_python(pieces, self._model.offset, formula.identifiers(self._names(), len(pieces)))

    def to_mlp_regressor(self) -> Any:
        """Return the network as a fitted MLPRegressor, for ReLU only.

        Returns
        -------
        sklearn.neural_network.MLPRegressor
            With the weights of :meth:`get_network_weights`, and their accuracy; a skip connection becomes two more chains
            of neurons for each input. From depth 3 on its matrices are dense: their size grows with the square of the number
            of units.

        Raises
        ------
        ValueError
            If the activation is not ReLU.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> mlp = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_mlp_regressor()
        >>> mlp.predict([[2.0]]).round(12).tolist()
        [1.5]
        """
        check_is_fitted(self)
        return networks.to_mlp_regressor(self._model.network, self._names())

    def to_torch(self, dtype: Any = None) -> Any:
        """Return the network as a torch module; needs torch.

        Parameters
        ----------
        dtype : torch.dtype, default=None
            The type of the weights: ``torch.float64`` by default.

        Returns
        -------
        torch.nn.Module
            It maps a tensor of shape (n, n_features) to one of shape (n,). Its parameters are those of the network;
            they can be trained further.

        Examples
        --------
        >>> import pytest
        >>> torch = pytest.importorskip("torch", reason="an extra of its own")
        >>> from convexnn import ConvexNNRegressor
        >>> module = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_torch()
        >>> round(module(torch.tensor([[2.0]], dtype=torch.float64)).item(), 12)
        1.5
        """
        check_is_fitted(self)
        return networks.to_torch(self._model.network, dtype)

    def to_onnx(self, path: str | os.PathLike[str], *, dtype: str = "float64") -> None:
        """Write the network as an ONNX model; needs onnx.

        Parameters
        ----------
        path : str or path-like
            The file; one that exists is replaced.
        dtype : {"float64", "float32"}, default="float64"
            The type of weights, input and output.

        Notes
        -----
        The model (opset 17) has one input "X" of shape (n, n_features) and one output "y" of shape (n,).

        Examples
        --------
        >>> import pytest, tempfile, pathlib
        >>> onnx = pytest.importorskip("onnx", reason="an extra of its own")
        >>> from convexnn import ConvexNNRegressor
        >>> model = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.to_onnx(pathlib.Path(folder) / "model.onnx")
        """
        check_is_fitted(self)
        if dtype not in ("float64", "float32"):
            raise ValueError(f'dtype must be "float64" or "float32", got {dtype!r}')
        names = self._names() or [f"x{j}" for j in range(self._model.network.n_features_in)]
        fitted = {name: repr(getattr(self, name)) for name in ("alpha_", "objective_", "dual_gap_", "exact_")}
        networks.to_onnx(self._model.network, path, dtype, {"inputs": ", ".join(names), **fitted})
