"""The total-variation kernel of convexnn alone, on sorted data: what condat-tv and prox_tv do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.adapters._denoising import DenoisingAdapter

Array = NDArray[np.float64]


class Denoise(DenoisingAdapter):
    """``accuracy`` has no meaning: the method is exact."""

    package = "convexnn"

    def solve(self, state: Any, accuracy: float) -> Any:
        """Denoise."""
        from convexnn.kernels.total_variation import denoise

        return denoise(state.y, state.w, state.penalty)
