"""One unquantized pass, recorded: batches, groups, hooks, and the captured tensors in memory and on disk."""
