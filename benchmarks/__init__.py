"""Every claim about speed and memory: a command that measures it beside its baseline, in the same run.

``python -m benchmarks`` runs all, ``python -m benchmarks NAME ...`` some. Figures are medians of several rounds, taken
in turns with their baselines, since machines are shared and noisy. An aim that is missed is said, and nothing fails.
"""
