"""What do the API and /metrics ask the tables?"""
