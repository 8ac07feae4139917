"""The game of N: which of some candidates was it?"""
