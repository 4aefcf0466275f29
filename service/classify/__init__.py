"""What does the server's answer say: rules as data, gateway fingerprints."""
