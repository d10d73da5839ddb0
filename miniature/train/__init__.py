"""Recipes that train the miniature checkpoints: each is `python -m miniature.train.NAME`."""
