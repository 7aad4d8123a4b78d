"""The numba backend: the same exact union, one beam after another, compiled. Importing this package imports numba."""
