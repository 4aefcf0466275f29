"""What do we call over the network."""
