"""The machine that a pass runs on: its devices, overlapping work on them, sharing it between processes."""
