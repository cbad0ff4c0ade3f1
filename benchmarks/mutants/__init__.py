"""How many small faults the tests notice. `python -m benchmarks.mutants` tries them."""
