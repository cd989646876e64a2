"""Sphinx: ``python -m sphinx -W --keep-going -b html docs docs/_build/html`` makes the pages, warnings being errors."""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import convexnn

HERE = Path(__file__).parent
project = "convexnn"
author = "convexnn developers"
version = release = convexnn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "examples", "**/GALLERY_HEADER.rst"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]

autosummary_generate = True
numpydoc_show_class_members = False  # the template of classes lists them
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "convexnn"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "show_prev_next": False}
html_show_sourcelink = False
html_copy_source = False
html_extra_path = ["_extra"]
(HERE / "_extra").mkdir(exist_ok=True)  # what goes there is written before the pages are

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "abort_on_example_error": True,
    "min_reported_time": 5,
    "backreferences_dir": None,
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def write_api():
    """Write the page of the API: everything that the modules call public, so that nothing can be forgotten."""
    text = (HERE / "_templates" / "api.rst").read_text(encoding="utf-8")
    for module in ("convexnn", "convexnn.plotting", "convexnn.datasets"):
        names = importlib.import_module(module).__all__
        text = text.replace(f"{{{{ {module} }}}}", "\n   ".join(names))
    (HERE / "api.rst").write_text(text, encoding="utf-8")


def write_page(app):
    """Write the interactive page that the documentation embeds, with the command that a user has for it."""
    data = Path(convexnn.__file__).parent / "datasets" / "data" / "mcycle.csv"
    header = data.read_text(encoding="utf-8").splitlines()[0]
    x, y = [name.strip('"') for name in header.split(",")][-2:]
    command = [sys.executable, "-m", "convexnn", "explore", str(data), "--x", x, "--y", y, "--alphas", "25"]
    subprocess.run([*command, "--out", str(HERE / "_extra" / "explore_page.html")], check=True, stdout=subprocess.DEVNULL)


write_api()


def setup(app):
    """Connect what is made before the pages are read."""
    app.connect("builder-inited", write_page)
