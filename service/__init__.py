"""Hopp: bounce webhooks of many ESPs in, one event schema, labels and few, true alerts out."""

VERSION = "0.1.0"
