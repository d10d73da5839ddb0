"""Models: network families; load(checkpoint, device, dtype) gives one verb per task."""
