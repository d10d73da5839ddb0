"""Encoders: one small tower taught in each way that the survey names, at equal compute."""
