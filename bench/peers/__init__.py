"""What Hopp is measured against."""
