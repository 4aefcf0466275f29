"""A made-up mail world whose truth is known: who left, who was refused although alive, and when it began."""
