"""Where do raw deliveries wait."""
