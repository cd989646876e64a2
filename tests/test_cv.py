"""ConvexNNRegressorCV: its errors are those of separate fits, its choice the best of them; scikit-learn's checks."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.metrics import make_scorer, max_error, mean_pinball_loss, mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, PredefinedSplit, RepeatedKFold, ShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from convexnn import ConvexNNRegressor, ConvexNNRegressorCV
from convexnn.datasets import load_mcycle, load_run_log

FOLDS = KFold(3, shuffle=True, random_state=1)


@pytest.fixture
def data(rng):
    X = np.sort(rng.uniform(-2, 2, size=(90, 1)), axis=0)
    return X, np.sin(3 * X[:, 0]) + 0.2 * rng.normal(size=90), rng.integers(0, 3, size=90).astype(float)


# the checks fit ten inputs many times: two alphas, not tiny ones, show as much as a hundred
@parametrize_with_checks(
    [
        ConvexNNRegressorCV(alphas=2, eps=0.1, cv=2),
        ConvexNNRegressorCV((2,), ("threshold", "sign"), alphas=2, eps=0.1, cv=2, selection="one_standard_error"),
        ConvexNNRegressorCV((3,), alphas=2, eps=0.1, cv=2, selection="stack"),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("depths", "parameters"),
    [((2, 3), {}), ((2,), {"skip_connection": True}), ((2, 3), {"activations": ("abs",)})],
    ids=str,
)
def test_errors_are_those_of_separate_fits(depths, parameters, data):
    X, y, w = data
    model = ConvexNNRegressorCV(depths, alphas=4, cv=FOLDS, tol=1e-9, **parameters).fit(X, y, sample_weight=w)
    assert model.cv_results_["mse"].shape == (len(depths), 4, 3)
    parameters = {name: value for name, value in parameters.items() if name != "activations"}
    parameters["activation"] = model.activation_
    for place, depth in enumerate(model.cv_results_["depth"]):
        for fold, (train, test) in enumerate(FOLDS.split(X)):
            for a, alpha in enumerate(model.cv_results_["alphas"][place]):
                fit = ConvexNNRegressor(depth, alpha=alpha, tol=1e-9, **parameters).fit(X[train], y[train], w[train])
                expected = np.average((fit.predict(X[test]) - y[test]) ** 2, weights=w[test])
                assert model.cv_results_["mse"][place, a, fold] == pytest.approx(expected, rel=1e-3)


def test_choice_and_refit(data):
    X, y, _ = data
    model = ConvexNNRegressorCV((2, 4), ("relu", "threshold", "leaky_relu"), alphas=8, cv=5, negative_slope=0.0).fit(X, y)
    results = model.cv_results_
    pairs = list(zip(results["depth"].tolist(), results["activation"].tolist(), strict=True))
    assert pairs == [(2, "relu"), (4, "relu"), (2, "threshold"), (2, "leaky_relu"), (4, "leaky_relu")]
    chosen = pairs.index((model.depth_, model.activation_))
    assert -results["mse"][chosen].mean(axis=1).min() == pytest.approx(results["mean_score"].max())
    np.testing.assert_array_equal(model.mse_path_, results["mse"][chosen])
    assert model.alpha_ == model.alphas_[np.argmin(model.mse_path_.mean(axis=1))]
    refit = ConvexNNRegressor(model.depth_, activation=model.activation_, negative_slope=0.0, alpha=model.alpha_)
    np.testing.assert_array_equal(model.predict(X), refit.fit(X, y).predict(X))
    assert model.certify().relative_gap <= 1e-6 and model.summary() == refit.summary()


def test_one_standard_error(data):
    X, y, _ = data
    best = ConvexNNRegressorCV(cv=FOLDS).fit(X, y)
    plain = ConvexNNRegressorCV(cv=FOLDS, selection="one_standard_error").fit(X, y)
    means = best.mse_path_.mean(axis=1)
    least = np.argmin(means)
    error = best.mse_path_[least].std(ddof=1) / np.sqrt(3)
    assert plain.alpha_ == best.alphas_[np.flatnonzero(means <= means[least] + error)[0]] > best.alpha_
    assert plain.n_neurons_ < best.n_neurons_


@pytest.mark.parametrize("first, second", [("relu", "threshold"), ("threshold", "relu")])
@pytest.mark.parametrize("kind", ["line", "step", "noise"])
def test_the_first_architecture_stays_unless_another_is_clearly_better(kind, first, second, rng):
    X = rng.uniform(-1, 1, size=(120, 1))
    truth = {"line": 2 * X[:, 0], "step": np.where(X[:, 0] > 0.1, 1.0, -1.0), "noise": np.zeros(120)}[kind]
    y = truth + 0.1 * rng.normal(size=120)
    model = ConvexNNRegressorCV(activations=(first, second), cv=FOLDS, alphas=20, selection="prefer_first").fit(X, y)
    assert model.activation_ == {"line": "relu", "step": "threshold", "noise": first}[kind]
    least = model.cv_results_["mse"].mean(axis=2).argmin(axis=1)
    one, other = (model.cv_results_["mse"][k, least[k]] for k in range(2))
    clear = (one - other).mean() > (one - other).std(ddof=1) / np.sqrt(3)
    assert (model.activation_ == second) == clear
    assert model.alpha_ == model.alphas_[least[int(clear)]]


@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", "r2", make_scorer(max_error)])
def test_scorers_agree_with_grid_search(scoring, data):
    X, y, w = data
    alphas = [1e-2, 1e-1, 3e-2]
    model = ConvexNNRegressorCV(alphas=alphas, cv=FOLDS, scoring=scoring).fit(X, y)
    search = GridSearchCV(ConvexNNRegressor(), {"alpha": sorted(alphas, reverse=True)}, scoring=scoring, cv=FOLDS).fit(X, y)
    assert model.alpha_ == search.best_params_["alpha"]
    for fold in range(3):
        expected = search.cv_results_[f"split{fold}_test_score"]
        np.testing.assert_allclose(model.cv_results_["score"][0, :, fold], expected, rtol=1e-3)
    assert np.isfinite(ConvexNNRegressorCV(alphas=2, cv=2, scoring=scoring).fit(X, y, sample_weight=w).alpha_)


def test_default_score_is_the_loss(data):
    X, y, w = data
    parameters = {"loss": "pinball", "quantile": 0.9}
    model = ConvexNNRegressorCV(alphas=[0.3, 0.03], cv=FOLDS, **parameters).fit(X, y, sample_weight=w)
    train, test = next(FOLDS.split(X))
    fit = ConvexNNRegressor(alpha=0.03, **parameters).fit(X[train], y[train], sample_weight=w[train])
    expected = mean_pinball_loss(y[test], fit.predict(X[test]), alpha=0.9, sample_weight=w[test])
    assert -model.cv_results_["score"][0, 1, 0] == pytest.approx(expected, rel=2e-2)


def test_default_folds_are_shuffled_and_always_the_same(data):
    X, y, _ = data
    first, second, other = (ConvexNNRegressorCV(alphas=5, random_state=seed).fit(X, y) for seed in (None, 0, 1))
    np.testing.assert_array_equal(first.mse_path_, second.mse_path_)
    assert (first.mse_path_ != other.mse_path_).any()
    # an ordered split asks for extrapolation
    assert first.mse_path_.min() < ConvexNNRegressorCV(alphas=5, cv=KFold(5)).fit(X, y).mse_path_.mean(axis=1).min()


def test_few_rows_are_split_five_times(data):
    X, y, _ = data
    few = ConvexNNRegressorCV((2, 3), alphas=6).fit(X, y)
    folds = RepeatedKFold(n_splits=5, n_repeats=5, random_state=0)
    np.testing.assert_array_equal(few.mse_path_, ConvexNNRegressorCV((2, 3), alphas=6, cv=folds).fit(X, y).mse_path_)
    X = np.linspace(-2, 2, 1001)[:, None]
    assert ConvexNNRegressorCV(alphas=3).fit(X, np.sin(X[:, 0])).mse_path_.shape == (3, 5)


def test_repeated_folds_have_the_standard_error_of_one_round(data):
    X, y, w = data
    rounds = [(train, test) for _ in range(4) for train, test in FOLDS.split(X)]
    once, often = (ConvexNNRegressorCV(alphas=6, cv=cv).fit(X, y, sample_weight=w).cv_results_ for cv in (FOLDS, rounds))
    np.testing.assert_allclose(often["mean_score"], once["mean_score"], rtol=1e-12)
    # the same four times over: the standard deviation differs by its degrees of freedom only
    np.testing.assert_allclose(often["standard_error"] * np.sqrt(11 / 8), once["standard_error"], rtol=1e-12)


def test_threads_change_nothing(data):
    X, y, w = data
    one, two = (ConvexNNRegressorCV((2, 3), alphas=6, cv=5, n_jobs=jobs).fit(X, y, sample_weight=w) for jobs in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mse"], two.cv_results_["mse"])


def test_rows_of_weight_zero_do_not_matter(data):
    X, y, w = data
    split, kept = np.arange(90) % 3, w > 0
    full = ConvexNNRegressorCV(alphas=6, cv=PredefinedSplit(split)).fit(X, y, sample_weight=w)
    part = ConvexNNRegressorCV(alphas=6, cv=PredefinedSplit(split[kept])).fit(X[kept], y[kept], sample_weight=w[kept])
    np.testing.assert_allclose(full.mse_path_, part.mse_path_, rtol=1e-9)
    assert full.alpha_ == pytest.approx(part.alpha_, rel=1e-12)


def test_some_row_left_out_must_have_a_weight(data):
    X, y, _ = data
    train, test = np.arange(80), np.arange(80, 90)
    weight = np.where(np.arange(90) < 80, 1.0, 0.0)
    with pytest.raises(ValueError, match="have a sample_weight of zero"):
        ConvexNNRegressorCV(alphas=2, cv=[(train, test)]).fit(X, y, sample_weight=weight)


def test_groups_are_routed_to_the_splitter(data):
    X, y, _ = data
    groups = np.arange(90) % 3
    with config_context(enable_metadata_routing=True):
        model = ConvexNNRegressorCV(alphas=4, cv=GroupKFold(3)).fit(X, y, groups=groups)
    fixed = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(3)]
    expected = ConvexNNRegressorCV(alphas=4, cv=fixed).fit(X, y)
    np.testing.assert_allclose(np.sort(model.mse_path_, axis=1), np.sort(expected.mse_path_, axis=1), rtol=1e-12)


def test_splits_may_be_lists_or_masks(data):
    X, y, _ = data
    lists = [(list(range(30)), list(range(30, 90))), (list(range(30, 90)), list(range(30)))]
    masks = [tuple(np.isin(np.arange(90), part) for part in split) for split in lists]
    arrays = [tuple(np.array(part) for part in split) for split in lists]
    scores = [ConvexNNRegressorCV(alphas=4, cv=cv).fit(X, y).cv_results_["mean_score"] for cv in (lists, masks, arrays)]
    np.testing.assert_array_equal(scores[0], scores[2])
    np.testing.assert_array_equal(scores[1], scores[2])


@pytest.mark.parametrize("asks", [True, False])
def test_weights_are_routed_to_scorers_that_ask_for_them(asks, data):
    X, y, w = data
    plain = ConvexNNRegressorCV(alphas=3, cv=FOLDS, scoring="neg_mean_squared_error").fit(X, y, w + 1)
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(mean_squared_error, greater_is_better=False).set_score_request(sample_weight=asks)
        routed = ConvexNNRegressorCV(alphas=3, cv=FOLDS, scoring=scorer).fit(X, y, w + 1)
    np.testing.assert_array_equal(routed.mse_path_, plain.mse_path_)
    assert np.array_equal(routed.cv_results_["score"], plain.cv_results_["score"]) == asks


@pytest.mark.parametrize("score", [np.nan, "good", None, [1.0, 2.0]], ids=str)
def test_scores_must_be_numbers(score, data):
    with pytest.raises(ValueError, match="scoring must give a finite number"):
        ConvexNNRegressorCV(alphas=2, cv=2, scoring=lambda model, X, y: score).fit(*data[:2])


@pytest.mark.parametrize("cv", [2, ShuffleSplit(1, random_state=0), KFold(10)], ids=str)
def test_splitters(cv, data):
    model = ConvexNNRegressorCV(alphas=3, cv=cv, selection="one_standard_error").fit(*data[:2])
    assert np.isfinite(model.mse_path_).all() and model.alpha_ in model.alphas_


def test_steps_are_found_in_steps():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(200, 1))
    y = np.select([X[:, 0] < 0.3, X[:, 0] < 0.6], [0.0, 2.0], 1.0) + 0.1 * rng.normal(size=200)
    assert ConvexNNRegressorCV((2, 3), ("relu", "threshold"), cv=5).fit(X, y).activation_ == "threshold"


def test_two_inputs():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 2))
    y = np.abs(X[:, 0]) + np.sin(2 * X[:, 1]) + 0.1 * rng.normal(size=80)
    model = ConvexNNRegressorCV((2, 3), alphas=10, cv=3).fit(X, y)
    assert model.score(X, y) > 0.9 and model.dual_gap_ <= 1e-6


@pytest.mark.parametrize("load", [load_mcycle, load_run_log])
def test_real_data(load):
    X, y = load(return_X_y=True)
    model = ConvexNNRegressorCV(depths=(2, 3), cv=5).fit(X, y)
    assert model.dual_gap_ <= 1e-6 and model.mse_path_.mean(axis=1).min() < 0.5 * y.var()
    assert model.alphas_[0] > model.alpha_


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"depths": (1,)}, "entry of depths or activations .* 'depth' parameter"),
        ({"depths": ()}, "at least one architecture"),
        ({"activations": ("tanh",)}, "entry of depths or activations .* 'activation' parameter"),
        ({"activations": "relu"}, "'activations' parameter"),
        ({"alphas": [-1.0]}, "alphas must be"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": 200}, "greater than the number of samples"),
        ({"selection": "worst"}, "'selection' parameter"),
        ({"scoring": "nothing"}, "'scoring' parameter"),
        ({"eps": 2.0}, "'eps' parameter"),
        ({"architecture": "parallel", "activations": ("sign",), "depths": (3,)}, "width must be"),
    ],
)
def test_bad_parameters_are_named(arguments, match, data):
    with pytest.raises(ValueError, match=match):
        ConvexNNRegressorCV(**arguments).fit(*data[:2])


def test_warns_where_the_tolerance_is_not_reached(data):
    warned = pytest.warns(UserWarning, match=r"in \d+ of 100 fits to the folds")
    with warned, pytest.warns(UserWarning, match="The relative duality gap is .* after 1 iterations"):
        ConvexNNRegressorCV(alphas=4, max_iter=1, tol=1e-12).fit(*data[:2])
