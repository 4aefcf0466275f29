"""The whole service as a person starts it: real processes, real sockets, real databases."""
