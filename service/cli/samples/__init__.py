"""Samples of what ESPs post, and the command that posts them."""
