"""Which input breaks an adapter? Asked by atheris, which changes the samples and follows the code that they reach."""
