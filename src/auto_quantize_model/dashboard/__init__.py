"""The dashboard: one HTML file for people to look into many cases. Imports neither torch nor pytest."""
