"""What did a person or a timer ask for."""
