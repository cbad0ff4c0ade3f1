"""Reports: pure functions of a manifest. Imports neither torch nor pytest."""
