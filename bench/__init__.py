"""What Hopp reaches: speed, and alerts judged on worlds whose truth is known."""
