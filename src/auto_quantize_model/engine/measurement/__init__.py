"""Measured KL divergence: groups are really quantized, and only the blocks behind the first of them run again."""
