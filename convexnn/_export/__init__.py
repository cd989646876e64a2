"""What a fitted network can be taken away as: a formula, a file, a network of another library."""
