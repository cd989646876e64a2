"""ConvexNNRegressorCV: alpha, and if asked depth and activation, chosen by cross-validation along solution paths."""

from __future__ import annotations

import warnings
from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import RegressorMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import KFold, RepeatedKFold, check_cv
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from convexnn._base import BaseConvexNN, fitting
from convexnn._export.files import read_block, write_block
from convexnn._folds import Fold, first_unless_better, standard_error, takes_weights, validate
from convexnn._regressor import ConvexNNRegressor
from convexnn.activations import STEPS
from convexnn.model import build_model
from convexnn.path import falling, follow, geometric_alphas
from convexnn.progress import bar
from convexnn.stacking import least_error, stack
from convexnn.training import Stack, Trainer, Training

Array = NDArray[np.float64]
NOT_SHARED = ("depth", "activation", "alpha", "warm_start")
FOLDS, REPEATS, FEW = 5, 5, 1000


class ConvexNNRegressorCV(RegressorMixin, BaseConvexNN):
    """Neural network regression with the regularisation, and optionally the architecture, chosen by cross-validation.

    In every fold a whole path of alphas is trained, each solution the start of the next; the choice is trained on all
    data, to the same certificate as :class:`ConvexNNRegressor`.

    Parameters
    ----------
    depths : sequence of int, default=(2,)
        The depths to choose from.
    activations : sequence of str, default=("relu",)
        The activations to choose from.
    alphas : int or array-like, default=50
        For every architecture so many alphas, evenly spaced in the logarithm from its critical alpha down to ``eps`` times
        it; or the alphas themselves.
    eps : float, default=1e-4
        The least alpha over the critical one.
    cv : int, cross-validation generator or iterable, default=None
        The folds. An int is that many shuffled folds (rows are often sorted by x, and folds without an end of the data would
        ask for extrapolation). None is 5, and for up to 1000 rows five times 5, shuffled anew: with few rows the choice
        depends on which of them are left out together, and repeats cost little. Others are used as they are.
    scoring : str or callable, default=None
        A scorer of scikit-learn, of which more is better. None is minus the mean loss (squared loss: the
        negative mean squared error).
    selection : {"best", "one_standard_error", "prefer_first", "stack"}, default="best"
        "best" takes architecture and alpha of the best mean score; "one_standard_error" the same architecture, with the
        largest alpha whose mean score is within one standard error of it. "prefer_first" takes ``depths`` and
        ``activations`` as orders of preference: a later architecture, at its best alpha, has to be better by more than one
        standard error of the differences in the folds. What is lost where the folds cannot tell is then known beforehand:
        with ``depths=(3, 2)`` the tails are flat unless straight ones are clearly better. "stack" takes the architecture
        as "prefer_first" does, and not one alpha but the mean of its networks at several: that with the least squared error
        on the rows left out (squared loss only). The mean is a network too, and the optimum of a convex problem (see Notes).
    architecture : {"narrow", "symmetrized", "parallel", "tree"}, default="narrow"
        As in :class:`ConvexNNRegressor`, like all that follow.
    width : int or tuple of int, default=None
        The hidden width of parallel units, or the widths of a tree.
    negative_slope : float, default=0.01
        The slope of leaky ReLU for negative arguments.
    skip_connection : bool, default=False
        Whether the network has an unpenalised linear connection from input to output. Of inputs that depend on each other
        but for a millionth it does not read all (their slopes are zero), as doubles cannot hold what large slopes leave.
    loss : {"squared", "huber", "absolute", "pinball"}, default="squared"
        The loss of a residual r: ``r ** 2 / 2``; the same up to ``huber_delta`` and straight beyond; ``|r|``; or
        ``quantile * r`` for r > 0 and ``(quantile - 1) * r`` below, whose fit is a conditional quantile.
    quantile : float, default=0.5
        The quantile of the pinball loss, in (0, 1).
    huber_delta : float, default=1.35
        Where the Huber loss becomes straight, in the units of y.
    dictionary : {"auto", "exact", "data"}, default="auto"
        The candidate biases.
    max_breakpoints : int, default=None
        The number of candidate breakpoints.
    monotonic_cst, convexity_cst : array-like of int of shape (n_features,) or dict, default=None
        Shape constraints on the inputs.
    solver : str, default="auto"
        The solver.
    tol : float, default=1e-6
        The relative duality gap to reach, in the folds as well.
    max_iter : int, default=1000
        The largest number of pricing sweeps for one alpha.
    verbose : int, default=0
        1 shows a bar of the paths that are done, by tqdm where it is installed.
    n_jobs : int, default=None
        The number of folds worked on at a time, by threads.
    random_state : int, RandomState instance or None, default=None
        How the folds are shuffled where ``cv`` is None or an int; None is the same every time.

    Attributes
    ----------
    alpha_ : float
        The alpha chosen; of a stack the mean of its alphas.
    stack_weights_ : ndarray of shape (n_alphas,)
        Only with ``selection="stack"``: the part of each of ``alphas_`` in the mean, zero for most.
    depth_ : int
        The depth chosen.
    activation_ : str
        The activation chosen.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas tried for the architecture chosen, falling.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        The weighted mean squared errors of the architecture chosen on the folds left out.
    cv_results_ : dict of ndarray
        For all architectures: ``depth``, ``activation`` of shape (n_architectures,), ``alphas`` (n_architectures, n_alphas),
        ``mse`` and ``score`` (n_architectures, n_alphas, n_folds), ``mean_score`` and ``standard_error``
        (n_architectures, n_alphas). The means weigh the folds by the weight of their rows; folds that repeat others, as
        rows are left out more than once, do not make the standard error smaller.
    alpha_max_ : float
        The critical alpha of the architecture chosen.
    coef_, features_, intercept_, skip_coef_, breakpoints_, slopes_, network_, n_neurons_ : various
        The network, as in :class:`ConvexNNRegressor`.
    objective_, dual_gap_, exact_, converged_, n_iter_, solver_ : various
        Its certificate and how it was found, as in :class:`ConvexNNRegressor`.
    n_features_in_ : int
        The number of inputs.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    Raises
    ------
    ValueError
        If a parameter or the data are not valid; nothing is computed then.

    Warns
    -----
    ConvergenceWarning
        If ``tol`` was not reached in some fold or in the end.

    Notes
    -----
    Source: *A Library of Mirrors* (arXiv 2403.01046), solution paths; the rule of one standard error is that of Breiman
    et al. (1984), stacking that of Breiman (1996).

    The mean f of networks g_k, each the optimum at alpha_k, with weights w_k, is the optimum where the penalty is the
    proximal average of theirs (Bauschke, Goebel, Lucet and Wang, 2008): the least
    ``sum_k w_k (alpha_k R(h_k) + |h_k - f| ** 2 / 2)`` over all h_k of mean f. ``objective_`` is that of this problem,
    which is ``sum_k w_k`` times the objectives of the g_k, and so is ``dual_gap_``.

    Examples
    --------
    >>> from convexnn import ConvexNNRegressorCV
    >>> from convexnn.datasets import load_mcycle
    >>> model = ConvexNNRegressorCV(depths=(2, 3), alphas=20).fit(*load_mcycle(return_X_y=True))
    >>> model.mse_path_.shape, bool(model.dual_gap_ <= 1e-6)
    ((20, 25), True)
    """

    _parameter_constraints: dict = {
        **{name: rule for name, rule in BaseConvexNN._parameter_constraints.items() if name not in NOT_SHARED},
        "depths": ["array-like"],
        "activations": [list, tuple],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0.0, 1.0, closed="neither")],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "selection": [StrOptions({"best", "one_standard_error", "prefer_first", "stack"})],
    }

    def __init__(
        self,
        depths=(2,),
        activations=("relu",),
        *,
        alphas=50,
        eps=1e-4,
        cv=None,
        scoring=None,
        selection="best",
        architecture="narrow",
        width=None,
        negative_slope=0.01,
        skip_connection=False,
        loss="squared",
        quantile=0.5,
        huber_delta=1.35,
        dictionary="auto",
        max_breakpoints=None,
        monotonic_cst=None,
        convexity_cst=None,
        solver="auto",
        tol=1e-6,
        max_iter=1000,
        verbose=0,
        n_jobs=None,
        random_state=None,
    ):
        self.depths = depths
        self.activations = activations
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.architecture = architecture
        self.width = width
        self.negative_slope = negative_slope
        self.skip_connection = skip_connection
        self.loss = loss
        self.quantile = quantile
        self.huber_delta = huber_delta
        self.dictionary = dictionary
        self.max_breakpoints = max_breakpoints
        self.monotonic_cst = monotonic_cst
        self.convexity_cst = convexity_cst
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose by cross-validation, and train the choice on all data to global optimality.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs; every unit of the network reads one of them.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows, for training and for the scores; with metadata routing, for scorers that
            ask for them.
        **params : dict
            Passed to the splitter (``groups``, say); with metadata routing, to the splitter and the scorer that ask for it.

        Returns
        -------
        ConvexNNRegressorCV
            The fitted estimator itself.
        """
        with fitting(self):
            stacked = self.selection == "stack"
            if stacked and self.loss != "squared":
                raise ValueError(f"selection='stack' needs loss='squared', got {self.loss!r}")
            templates = self._templates()
            given = None if isinstance(self.alphas, Integral) else falling(self.alphas)
            X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
            y = y.astype(np.float64, copy=False)
            shapes = self._shapes()  # the rows that templates see have no names
            for template in templates:
                template.monotonic_cst = [shape.monotonic for shape in shapes]
                template.convexity_cst = [shape.convexity for shape in shapes]
            w = None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)
            scorer = None if self.scoring is None else check_scoring(self, self.scoring)
            for_splitter, for_scorer = self._routed(scorer, sample_weight, params)
            splits = self._splitter(len(y)).split(X, y, **for_splitter)
            candidates = []
            for template in templates:
                trainer = template._trainer(X, y, w)
                grid = geometric_alphas(trainer.alpha_max, int(self.alphas), self.eps) if given is None else given
                candidates.append((template, trainer, grid))
            rows = np.arange(len(y))  # splits may be lists or masks as well
            folds = [Fold(X, y, w, rows[train], rows[test], scorer, for_scorer, stacked) for train, test in splits]
            folds = [fold for fold in folds if fold.weight > 0.0]  # the others say nothing
            if not folds:
                raise ValueError("cv leaves out no row, or all that it does have a sample_weight of zero.")
            jobs = (delayed(validate)(template, grid, fold) for template, _, grid in candidates for fold in folds)
            parallel = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")
            results = list(bar(parallel(jobs), len(candidates) * len(folds), "cross-validation", self.verbose))
            figures = np.reshape([part for part, _ in results], (len(templates), len(folds), 3, -1))
            mse, score, gaps = np.moveaxis(figures, (2, 3), (0, 2))
            total = float(len(y) if w is None else w.sum())
            shares = np.array([fold.weight for fold in folds]) / total
            self._choose(templates, [grid for *_, grid in candidates], mse, score, shares)
            if gaps.max() > self.tol:
                warnings.warn(
                    f"The relative duality gap was more than tol={self.tol:g} in {np.count_nonzero(gaps > self.tol)} of "
                    f"{gaps.size} fits to the folds, at most {gaps.max():.3g}: raise max_iter or tol.",
                    ConvergenceWarning,
                    stacklevel=3,
                )
            trainer = candidates[self._chosen][1]
            self.__dict__.pop("stack_weights_", None)
            if stacked:
                own = results[self._chosen * len(folds) : (self._chosen + 1) * len(folds)]
                training: Training = self._stacked(trainer, np.concatenate([errors for _, errors in own]))
            else:
                training = trainer.train(self.alpha_, tol=self.tol, max_iter=self.max_iter)
            self._keep(training, build_model(training.problem, training.solution, training.spec))
            self._warn_of_the_gap(stacklevel=4)
        return self

    def _stacked(self, trainer: Trainer, errors: Array) -> Stack:
        """Return the mean of the networks at ``alphas_`` that errs least; the columns of ``errors`` are those of each."""
        self.stack_weights_ = least_error(errors)
        used = self.stack_weights_ > 0.0
        path = follow(trainer, self.alphas_[used], tol=self.tol, max_iter=self.max_iter)
        training = stack(path.trainings, self.stack_weights_[used])
        self.alpha_ = training.alpha
        return training

    def _routed(self, scorer, sample_weight, params) -> tuple[dict, dict]:
        """Return what the splitter and the scorer are given beside the rows: what they ask for, if metadata are routed."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.splitter.split, {} if scorer is None else routed.scorer.score
        weighed = sample_weight is not None and scorer is not None and takes_weights(scorer)
        return params, {"sample_weight": sample_weight} if weighed else {}

    def _templates(self) -> list[ConvexNNRegressor]:
        """Return an estimator for each architecture to try; narrow sign and threshold networks are the same at any depth."""
        names = [name for name in ConvexNNRegressor().get_params() if name not in NOT_SHARED]
        shared = {name: getattr(self, name) for name in names}
        templates = []
        for activation in self.activations:
            same = activation in STEPS and self.architecture == "narrow"
            for depth in list(self.depths)[: 1 if same else None]:
                template = ConvexNNRegressor(depth, activation=activation, **shared)
                try:
                    template._validate_params()
                except InvalidParameterError as error:  # names a parameter that this estimator does not have
                    raise InvalidParameterError(f"An entry of depths or activations is not valid: {error}") from None
                template._architecture()
                templates.append(template)
        if not templates:
            raise ValueError("depths and activations must name at least one architecture")
        return templates

    def _splitter(self, n_samples: int = 0):
        seed = 0 if self.random_state is None else self.random_state
        if self.cv is None and n_samples <= FEW:
            return RepeatedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=seed)
        if self.cv is None or isinstance(self.cv, Integral):
            return KFold(FOLDS if self.cv is None else int(self.cv), shuffle=True, random_state=seed)
        return check_cv(self.cv)

    def _choose(self, templates, grids, mse, score, shares) -> None:
        """Set what the cross-validation says, from errors and scores of shape (architectures, alphas, folds).

        ``shares`` are the parts of all weight that the folds leave out.
        """
        mean = np.average(score, axis=2, weights=shares)
        error = standard_error(score, shares)
        places = np.argmax(mean, axis=1)
        best = int(np.argmax(np.max(mean, axis=1)))
        if self.selection in ("prefer_first", "stack"):
            best = first_unless_better(score[np.arange(len(templates)), places], shares)
        place = places[best]
        if self.selection == "one_standard_error":
            place = np.argmax(mean[best] >= mean[best, place] - error[best, place])
        self.alphas_, self.mse_path_, self.alpha_ = grids[best], mse[best], float(grids[best][place])
        self.depth_, self.activation_ = templates[best].depth, templates[best].activation
        self.cv_results_ = {
            "depth": np.array([template.depth for template in templates]),
            "activation": np.array([template.activation for template in templates]),
            "alphas": np.array(grids),
            "mse": mse,
            "score": score,
            "mean_score": mean,
            "standard_error": error,
        }
        self._chosen = best

    def _extra_state(self):
        stack = {"stack_weights": write_block(self.stack_weights_)} if self.selection == "stack" else {}
        return {"alphas": write_block(self.alphas_), "mse_path": write_block(self.mse_path_), **stack}

    def _set_extra_state(self, state):
        names = ["alphas", "mse_path", *(["stack_weights"] if self.selection == "stack" else [])]
        if state.keys() != set(names):
            raise ValueError(f"extra must hold {' and '.join(names)}")
        self.alphas_ = read_block(state["alphas"], "alphas", (None,))
        self.mse_path_ = read_block(state["mse_path"], "mse_path", (self.alphas_.size, None))
        if self.selection == "stack":
            self.stack_weights_ = read_block(state["stack_weights"], "stack_weights", self.alphas_.shape)
        self.depth_, self.activation_ = self.network_.depth, self.network_.activation

    def predict(self, X):
        """Return the fitted function at X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,)
            The predictions of the network chosen.
        """
        check_is_fitted(self)
        return self._model.predict(validate_data(self, X, dtype=np.float64, reset=False))

    def get_metadata_routing(self):
        """Return how metadata are routed: ``fit`` passes them to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            The routing.
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self).add(splitter=self._splitter(), method_mapping=mapping)
        if self.scoring is not None:
            mapping = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=check_scoring(self, self.scoring), method_mapping=mapping)
        return router
