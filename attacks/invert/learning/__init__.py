"""What an adversary learns from many images of its own, defended like the victim's."""
