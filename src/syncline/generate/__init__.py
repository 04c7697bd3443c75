"""What is made out of an integration: its document, its code, its project."""
