"""Fitted estimators as JSON and back: a single network, or an estimator whose parts are fitted networks."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from convexnn._export import files
from convexnn._export.disk import write_file
from convexnn.model import Model
from convexnn.network import Network


class StoredMixin:
    """The methods, and what a subclass may say about itself."""

    # parameters that did not always exist, each with the first version of model files that holds it, and the value that
    # says what earlier fits did; subclasses without such a parameter do not mind
    _later_parameters: ClassVar[dict[str, tuple[int, Any]]] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what a pickle holds; without the parameters of later releases, scikit-learn could not even show it."""
        super().__setstate__(self._absent(0) | state)  # type: ignore[misc]

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """Return the fitted estimator as JSON text, or write it to a file.

        Parameters
        ----------
        path : str or path-like, default=None
            The file; one that exists is replaced. By default the text is returned.

        Returns
        -------
        str or None
            The text, None where it is written.

        Raises
        ------
        ValueError
            If the fit holds what JSON cannot: a number that is not finite, or labels other than numbers, strings and
            booleans; or if parameters were changed after the fit so that they do not describe it.

        See Also
        --------
        from_json : The way back.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> text = ConvexNNRegressor(alpha=0).fit([[0], [1], [3]], [0, 0, 3]).to_json()
        >>> ConvexNNRegressor.from_json(text).predict([[2.0]])
        array([1.5])
        """
        check_is_fitted(self)
        self._check_stored()
        text = files.write_text(self)
        if path is None:
            return text
        write_file(text, path)
        return None

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Any:
        """Return the fitted estimator that wrote this JSON; nothing in it is executed.

        Parameters
        ----------
        source : str or path-like
            The text, which begins with "{", or the path of a file.

        Returns
        -------
        estimator
            Of this class, with the same parameters, attributes and predictions. It holds no training data: ``certify``
            needs a new fit. A parameter that JSON cannot hold, such as a ``RandomState``, is None; one that did not exist
            when the file was written has the value that says what was done then.

        Raises
        ------
        ValueError
            If it is not the whole and consistent text of a fitted estimator of this class, or was written by a release
            that is too new for this one; it says where.

        See Also
        --------
        to_json : What it reads.

        Examples
        --------
        >>> from convexnn import ConvexNNRegressor
        >>> ConvexNNRegressor.from_json('{"format": "other"}')
        Traceback (most recent call last):
            ...
        ValueError: the text is not a valid convexnn model file: it has no "format": "convexnn-model"
        """
        return load(source, {cls.__name__: cls})

    def _stored_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON can hold them."""
        return {name: files.plain(value) for name, value in self.get_params(deep=False).items()}  # type: ignore[attr-defined]

    @classmethod
    def _absent(cls, version: int) -> dict[str, Any]:
        """Return the parameters that model files of this version do not hold yet, with the values they stand for."""
        names = set(cls._get_param_names())  # type: ignore[attr-defined]
        return {name: old for name, (since, old) in cls._later_parameters.items() if name in names and version < since}

    @classmethod
    def _read_parameters(cls, parameters: dict[str, Any], version: int) -> dict[str, Any]:
        """Return the parameters that ``_stored_parameters`` of that version wrote; what they mean is checked later."""
        # JSON has lists only; the widths of a tree are a tuple
        return {
            name: tuple(value) if name == "width" and isinstance(value, list) else value
            for name, value in parameters.items()
        }

    def _extra_state(self) -> dict[str, Any]:
        """Return what a subclass needs beyond networks and parameters, as JSON can hold it."""
        return {}

    def _set_extra_state(self, state: dict[str, Any]) -> None:
        """Take, and check, what ``_extra_state`` returned."""
        if state:
            raise ValueError(f"extra holds {', '.join(sorted(state))}, which {type(self).__name__} does not know")

    def _set_content(self, content: files.Content | files.Ensemble) -> None:
        """Set the fitted attributes."""
        raise NotImplementedError

    def _check_stored(self) -> None:
        """Raise an error where parameters and networks do not belong together, before writing and after reading."""
        raise NotImplementedError

    def _check_described(self, network: Network) -> None:
        """Raise an error where the parameters describe another network."""
        # a cross-validated estimator has several candidates, an ensemble may leave them to an estimator of its own
        described = (getattr(self, "activation", network.activation), getattr(self, "depth", network.depth))
        if described != (network.activation, network.depth):
            raise ValueError(
                f"the parameters describe a {described[0]} network of depth {described[1]}, "
                f"the weights are those of a {network.activation} network of depth {network.depth}"
            )


class NetworkMixin(StoredMixin):
    """JSON of an estimator with one fitted network."""

    _model: Model
    _training: Any

    def _set_content(self, content: files.Content | files.Ensemble) -> None:
        if not isinstance(content, files.Content):
            raise ValueError(f"a {type(self).__name__} is one network, but the file holds parts")
        for name, value in content.fitted.items():
            setattr(self, name, value)
        self._model = content.model
        self._training = None

    def _check_stored(self) -> None:
        self._check_described(self._model.network)


class PartsMixin(StoredMixin):
    """JSON of an estimator whose ``estimators_`` are fitted networks of the class ``_part``."""

    _part: Any
    estimators_: list[Any]

    def _set_content(self, content: files.Content | files.Ensemble) -> None:
        if not isinstance(content, files.Ensemble):
            raise ValueError(f"a {type(self).__name__} has parts, but the file holds one network")
        self.estimators_ = [restore(part, {self._part.__name__: self._part}) for part in content.parts]
        self._collect()

    def _collect(self) -> None:
        """Set the fitted attributes that follow from the parts."""
        raise NotImplementedError

    def _check_stored(self) -> None:
        for part in self.estimators_:
            check_is_fitted(part)
            self._check_described(part.network_)


def load(source: str | os.PathLike[str], classes: dict[str, type]) -> Any:
    """Return the estimator, of one of these classes, that wrote JSON text or a file; a ValueError if it is not one."""
    with files.reading(source):
        return restore(files.read(source), classes)


def restore(content: files.Content | files.Ensemble, classes: dict[str, type]) -> Any:
    """Return the estimator, of one of these classes, that wrote a model file."""
    if content.estimator not in classes:
        raise ValueError(f"the file holds a fitted {content.estimator}, expected {' or '.join(classes)}")
    estimator = configured(classes[content.estimator], content.parameters, content.version)
    estimator.n_features_in_ = content.n_inputs
    if content.feature_names is not None:
        estimator.feature_names_in_ = np.array(content.feature_names, dtype=object)
    estimator._set_content(content)
    estimator._set_extra_state(content.extra)
    estimator._check_stored()
    return estimator


def configured(cls: Any, parameters: dict[str, Any], version: int) -> Any:
    """Return an estimator with the parameters of a file of that version, each checked as a fit would."""
    parameters, absent = cls._read_parameters(parameters, version), cls._absent(version)
    odd = sorted(parameters.keys() ^ (set(cls._get_param_names()) - absent.keys()))
    if odd:
        raise ValueError(f"the parameters of the file and of {cls.__name__} differ in {', '.join(odd)}")
    estimator = cls(**absent, **parameters)
    estimator._validate_params()
    return estimator
