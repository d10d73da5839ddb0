"""Index: a person's own folders, searchable by words and pictures."""
