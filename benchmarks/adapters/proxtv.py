"""prox_tv: the taut string, in C++. It builds only where LAPACKE's header is installed."""

from __future__ import annotations

from typing import Any

from benchmarks.adapters._denoising import DenoisingAdapter


class ProxTV(DenoisingAdapter):
    """Exact; ``accuracy`` has no meaning."""

    package = "prox_tv"

    def solve(self, state: Any, accuracy: float) -> Any:
        """Denoise by the hybrid taut string, the package's default."""
        import prox_tv

        return prox_tv.tv1_1d(state.y, state.penalty)
