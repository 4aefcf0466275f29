"""Which routes are there under /api/v1?"""
