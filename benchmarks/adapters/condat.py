"""condat-tv: Condat's direct algorithm for total-variation denoising, in C."""

from __future__ import annotations

from typing import Any

from benchmarks.adapters._denoising import DenoisingAdapter


class Condat(DenoisingAdapter):
    """Exact; ``accuracy`` has no meaning."""

    package = "condat_tv"

    def solve(self, state: Any, accuracy: float) -> Any:
        """Denoise."""
        from condat_tv import tv_denoise

        return tv_denoise(state.y, state.penalty)
