"""Benchmarks of the literature and of this project: their data, conditions and figures."""
