"""Where raw deliveries wait."""
