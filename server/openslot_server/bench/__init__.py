"""Benchmarks of the server's rooms: figures as ratios within one run, on a real disk."""
