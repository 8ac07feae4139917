"""Private images and guesses, for page and paper."""
