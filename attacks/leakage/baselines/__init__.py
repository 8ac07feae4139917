"""What a defense leaked when somebody last looked."""
