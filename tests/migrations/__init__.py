"""Migrations go up, down and up again, and add up to the tables."""
