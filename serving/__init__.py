"""Serving: the same tools as Ray Serve replicas, and the HTTP doors before them."""
