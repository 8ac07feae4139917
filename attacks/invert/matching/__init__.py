"""What the inversion attacks by optimisation share."""
