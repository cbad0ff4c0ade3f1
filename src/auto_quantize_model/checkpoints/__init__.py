"""A model's checkpoint: where it is, what is in it, whether it is whole, and its fingerprint."""
