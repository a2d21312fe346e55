"""Narrow ReLU networks are born dead, the more often the deeper they are; a silent unit is not a dying network."""

FIGURES = ("dead_units", "attenuation_against_depth", "gradient_profile")
