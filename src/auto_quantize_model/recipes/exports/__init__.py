"""What others read of a recipe: one module a form, each a pure function of the recipe."""
