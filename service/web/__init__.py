"""What came in over HTTP, and what goes back."""
