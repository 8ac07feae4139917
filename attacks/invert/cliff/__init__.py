"""``python -m attacks.invert.cliff FOLDER``: PSNR against drop rate and noise, and the count."""
