"""What people have to know, told once, to whom it concerns, and told to be over when it is."""
