"""The interactive page: what it holds, and what a browser shows of it, against the library."""

import json
import re
import shutil
import tempfile
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from convexnn import ConvexNNRegressor, convex_nn_path
from convexnn import _cli as cli
from convexnn._cli import explore
from convexnn._explore import explore_page
from convexnn.datasets import load_mcycle

X, Y = load_mcycle(return_X_y=True)
X, Y = X[::2], Y[::2]
NETWORKS = [{"depth": 2}, {"depth": 3, "activation": "abs"}, {"activation": "threshold"}]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1000,1400",
]  # fmt: skip


@pytest.fixture(scope="module")
def page():
    return explore_page(X[:, 0], Y, NETWORKS, alphas=6, x_name='dose </script><b>"', y_name="effect")


def content(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_numbers_of_the_page(page):
    held = content(page)
    assert held["x_name"] == 'dose </script><b>"'
    for options, network in zip(NETWORKS, held["networks"], strict=True):
        assert network["exact"] is True
        assert len(network["fits"]) == 6
        kinks = convex_nn_path(X, Y, exact=True, eps=1e-3, **options).alphas
        assert network["places"] == f"6 of {kinks.size} kinks of the exact path"
        assert {fit["alpha"] for fit in network["fits"]} <= set(kinks)
        for fit in network["fits"][1::2]:
            model = ConvexNNRegressor(**options, alpha=fit["alpha"]).fit(X, Y)
            assert fit["objective"] == pytest.approx(model.objective_, rel=1e-6)
            assert fit["gap"] <= 1e-6
            assert fit["correlation"] <= 1 + 1e-6
            assert max(np.abs(curve["correlations"]).max() for curve in fit["curves"]) <= 1 + 1e-5


def test_many_inputs_have_a_grid(monkeypatch):
    monkeypatch.setattr("convexnn._explore.MOST_FOR_EXACT", 10)
    (network,) = content(explore_page(X[:, 0], Y, [{}], alphas=3))["networks"]
    assert network["places"] == "a grid"
    assert [fit["alpha"] for fit in network["fits"]] == convex_nn_path(X, Y, alphas=3).alphas.tolist()


def test_nothing_is_loaded_from_elsewhere(page):
    assert not re.search(r"(src|href)=|@import|url\((?!#)|fetch\(|XMLHttpRequest", page)
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in page


def test_command(tmp_path, capsys):
    table = tmp_path / "data.csv"
    table.write_text("dose,effect\n" + "".join(f"{x},{y}\n" for x, y in zip(X[:, 0], Y, strict=True)))
    argv = ["explore", str(table), "--x", "dose", "--y", "effect", "--alphas", "3", "--out", str(tmp_path / "page.html")]
    assert cli.main(argv) == 0
    assert capsys.readouterr().out.count("fits, largest gap") == 5
    held = content((tmp_path / "page.html").read_text())
    assert [network["name"] for network in held["networks"]] == [
        "depth 2, relu", "depth 3, relu, narrow", "depth 2, abs", "depth 3, abs, narrow", "depth 2, threshold",
    ]  # fmt: skip
    for bad in (["--alphas", "1"], ["--depth", "1"], ["--activation", "tanh"], ["--x", "none"], ["--out", str(table)]):
        assert cli.main([*argv, *bad]) == 2


def test_reflections_of_many_inputs_are_thinned(tmp_path, monkeypatch):
    monkeypatch.setattr(explore, "MOST_FOR_REFLECTIONS", 20)
    table = tmp_path / "data.csv"
    table.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(X[:, 0], Y, strict=True)))
    argv = ["explore", str(table), "--x", "x", "--y", "y", "--activation", "abs", "--alphas", "3"]
    assert cli.main([*argv, "--out", str(tmp_path / "page.html")]) == 0
    exact = {network["name"]: network["exact"] for network in content((tmp_path / "page.html").read_text())["networks"]}
    assert exact == {"depth 2, abs": True, "depth 3, abs, narrow": False}


def test_a_path_that_ends_early_becomes_a_grid(monkeypatch):
    def stop(*args, exact=False, **options):
        if exact:
            warnings.warn("The path ends early.", ConvergenceWarning, stacklevel=2)
        return convex_nn_path(*args, **options)

    monkeypatch.setattr("convexnn._explore.convex_nn_path", stop)
    (network,) = content(explore_page(X[:, 0], Y, [{}], alphas=4))["networks"]
    assert (network["places"], len(network["fits"])) == ("a grid", 4)


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium")
    service = pytest.importorskip("selenium.webdriver.chrome.service", reason="needs selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        chrome = webdriver.Chrome(options=options, service=service.Service(driver))
        yield chrome
        chrome.quit()


def choose(browser, network, alpha, place):
    """Set the three controls as a user does."""
    script = "const [id, value, name] = arguments, e = document.getElementById(id); e.value = value;"
    script += "e.dispatchEvent(new Event(name))"
    browser.execute_script(script, "network", str(network), "change")
    browser.execute_script(script, "alpha", str(alpha), "input")
    browser.execute_script(script, "place", repr(place), "input")


def shown(browser, name):
    return browser.find_element("id", name).text


@pytest.mark.parametrize("network", range(3))
@pytest.mark.parametrize("alpha", [0, 3, 5])
def test_in_a_browser(browser, page, tmp_path, network, alpha):
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    browser.get(file.as_uri())
    before = browser.find_element("css selector", "#fit-plot .fit").get_attribute("d")
    choose(browser, network, alpha, 23.75)
    assert browser.get_log("browser") == []
    model = ConvexNNRegressor(**NETWORKS[network], alpha=float(shown(browser, "alpha-value"))).fit(X, Y)
    assert float(shown(browser, "objective")) == pytest.approx(model.objective_, rel=1e-6)
    assert float(shown(browser, "gap")) <= 1e-6
    assert float(shown(browser, "correlation")) == pytest.approx(1.0, abs=1e-6)
    assert shown(browser, "exact") == "all weights and biases"
    fit = content(page)["networks"][network]["fits"][alpha]
    pieces = fit["pieces"]
    assert int(shown(browser, "breakpoints")) == len(pieces["breakpoints"])
    # optima share their values at the data; between them the page evaluates the pieces that the path has
    place = np.searchsorted(pieces["breakpoints"], 23.75, side="right")
    expected = pieces["values"][place] + pieces["slopes"][place] * (23.75 - pieces["anchors"][place])
    assert float(shown(browser, "prediction")) == pytest.approx(expected, rel=1e-12)
    choose(browser, network, alpha, float(X[40, 0]))
    assert float(shown(browser, "prediction")) == pytest.approx(model.predict(X[40:41])[0], rel=1e-4, abs=1e-3)
    # everything is drawn anew: one dot for each row, a mark for each breakpoint in the picture, other lines than before
    count = browser.execute_script("return document.querySelectorAll(arguments[0]).length", "#fit-plot circle.dot")
    assert count == len(X)
    after = browser.find_element("css selector", "#fit-plot .fit").get_attribute("d")
    assert after != before or (network, alpha) == (0, 3)
    rows = browser.execute_script("return document.querySelectorAll('#features tr').length")
    assert rows == min(12, len(fit["features"]))


def test_thinned_breakpoints_have_no_exact_path():
    thinned = {"depth": 3, "activation": "abs", "max_breakpoints": 400}
    assert content(explore_page(X[:20, 0], Y[:20], [thinned], alphas=3))["networks"][0]["places"] != ""
