"""How do API, exports and the import format word it."""
