"""Measures a hubchat node, and what stands beside it, on one machine: `make load`.

Servers run on one core, virtual members on another; only ratios within a run mean anything.
"""
