"""Which share of a drift each of its causes explains, found by running the case again."""
