"""A federation of leakgauge as an app of Flower."""
