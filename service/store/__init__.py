"""How is it kept."""
