"""Inputs that break numerical code: the answer is certified, or a warning says by how much not; never NaN or silence."""

import pytest

hard_inputs = pytest.importorskip("benchmarks.hard_inputs", reason="the benchmarks are not part of the installed package")
ARCHITECTURES, INPUTS, run = hard_inputs.ARCHITECTURES, hard_inputs.INPUTS, hard_inputs.run


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("hard", INPUTS)
def test_certified_or_warned(hard, architecture):
    row = run(hard, architecture)
    if row.refused:
        assert hard in ("subnormal x", "subnormal y") and "rescale" in row.refused
        return
    assert row.finite and row.gap >= 0.0
    assert row.converged == (row.gap <= 1e-6) == (not row.warned)
    assert not row.other
