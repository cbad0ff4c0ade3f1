"""Recipes: one pair, or none, for each group, under a budget; solved from manifests, exported, and proved."""
