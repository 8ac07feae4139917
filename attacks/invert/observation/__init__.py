"""Updates captured elsewhere: loaded, attacked, and how much of them a guess explains."""
