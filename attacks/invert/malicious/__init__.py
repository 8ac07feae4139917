"""What a server that cheats puts into the model that it sends."""
