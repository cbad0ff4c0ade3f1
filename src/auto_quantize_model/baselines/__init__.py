"""The committed artifacts of each case: where they lie, publishing over them, checking the tree. Imports no torch."""
