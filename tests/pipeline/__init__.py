"""The pipeline over real tables, on both databases."""
