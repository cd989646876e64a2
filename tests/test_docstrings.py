"""Docstrings of everything public follow numpydoc: sections in order, every parameter described, a runnable example."""

import importlib
import inspect

import pytest

validate = pytest.importorskip("numpydoc.validate", reason="needs the extra docs").validate

MODULES = ["convexnn", "convexnn.plotting", "convexnn.datasets"]
# not asked for: an extended summary, See Also; a summary on the line after the quotes, as numpydoc's own style has it, and
# a verb's form, which it guesses from the last letter of the first word
IGNORED = {"ES01", "SA01", "SA04", "GL01", "GL02", "GL03", "SS05", "SS06"}
# scikit-learn's own, and methods that say what they do by the protocol that they belong to
FOREIGN = {"get_params", "set_params", "get_metadata_routing", "set_fit_request", "set_score_request", "set_predict_request"}


def public():
    """Return the full name of every public object and of its public methods."""
    names = []
    for module in MODULES:
        loaded = importlib.import_module(module)
        for name in loaded.__all__:
            value = getattr(loaded, name)
            if not callable(value):
                continue
            names.append(f"{module}.{name}")
            if inspect.isclass(value):
                own = [key for cls in value.__mro__ if cls.__module__.startswith("convexnn") for key in vars(cls)]
                names += [f"{module}.{name}.{key}" for key in dict.fromkeys(own)
                          if not key.startswith("_") and key not in FOREIGN and callable(getattr(value, key))]  # fmt: skip
    return names


@pytest.mark.parametrize("name", public())
def test_numpydoc(name):
    is_method = name.rsplit(".", 2)[-2][0].isupper()
    # examples and the absence of a section on what is returned: of classes and functions, an example of the class will do
    ignored = IGNORED | ({"EX01"} if is_method else set())
    errors = [(code, text) for code, text in validate(name)["errors"] if code not in ignored]
    assert errors == []
