"""Benchmarks of convexnn against its rivals; see README.md."""
