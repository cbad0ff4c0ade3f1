"""The case matrix: YAML files in, typed and frozen cases out. Imports neither torch nor pytest."""
