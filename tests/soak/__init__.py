"""A long time with many integrations: `make soak`."""
