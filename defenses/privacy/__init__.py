"""What noise costs and what an epsilon asks for."""
