"""The pages: their code runs, and their links lead somewhere."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/README.md"))]
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page):
    """Return the anchors of the headings of a page, as GitHub and MyST make them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pages
def test_links_inside_the_project(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if target.parent.name == "gallery" and target.suffix == ".rst":  # made from a script of the same name
            target = ROOT / "docs" / "examples" / f"{target.stem}.py"
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


@pages
def test_code_blocks_run(page, tmp_path, monkeypatch):
    (tmp_path / "convexnn").symlink_to(ROOT / "convexnn")  # pages read files below the root, and write beside it
    monkeypatch.chdir(tmp_path)
    failures, _ = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failures == 0


@pytest.mark.parametrize("script", sorted((ROOT / "docs" / "examples").glob("plot_*.py")), ids=lambda path: path.stem)
def test_examples_of_the_gallery_compile(script):
    source = script.read_text(encoding="utf-8")
    compile(source, str(script), "exec")
    assert source.startswith('"""\n')
