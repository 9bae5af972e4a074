"""Every strategy on published tabular benchmarks, many seeds each, beside published figures."""
