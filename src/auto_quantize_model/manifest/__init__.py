"""The manifest: the JSON with everything about one case. Imports neither torch nor pytest."""
