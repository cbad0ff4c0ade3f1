"""What differs between two manifests, how much it matters, and why. Imports no torch."""
