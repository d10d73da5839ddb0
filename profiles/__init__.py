"""Profiles: YAML files that say which checkpoint serves each tool, where and in what format."""
