"""Commands, with real files and a real SQLite."""
