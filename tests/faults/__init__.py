"""Parts fail under load, and nothing that was accepted is lost or counted twice: real processes, real servers."""
