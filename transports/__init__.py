"""How audio comes in and goes out."""
