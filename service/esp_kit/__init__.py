"""What any ESP module may lean on: the adapter's shape, verifiers, dates, addresses, replies."""
