"""How sure the scores are: intervals, ranks, bands, and whether the captions were enough. Deterministic."""
