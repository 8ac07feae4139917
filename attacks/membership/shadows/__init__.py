"""Training the models of a membership Scenario."""
