"""Miniature: StickerWorld, the recipes that train the embedded checkpoints on it, their weights."""
