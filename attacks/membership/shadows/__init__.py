"""Training the models of a membership trial."""
