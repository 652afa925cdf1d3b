"""Benchmarks: each prints its ratios beside their goals, measured against a floor and a naive way in the same run."""
