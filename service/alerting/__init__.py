"""Is it a spike, and what changes."""
