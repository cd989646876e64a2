"""Compiled loops: numbers and arrays only. Imported inside the first fit, because numba is slow to import."""
