"""What happens, in which order, in which transaction."""
