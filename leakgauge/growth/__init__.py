"""Time and memory of leakgauge against what grows, each beside its floor.

>>> from leakgauge.growth.curve import Curve, Point
>>> line = Curve("step", (Point(32, (1.0,), None), Point(64, (4.0,), None)))
>>> line.exponent()  # four times as long for twice the edge: it grows as the square
2.0
"""
