"""Tools: typed specialists, one file each; batch-first; no torch at module level."""
