"""The dashboard's server: who may look, who may act, and what they are shown."""
