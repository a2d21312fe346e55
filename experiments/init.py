"""An initialisation holds the gradient for the activation it was made for, and not for the others."""

FIGURES = ("gradient_profile", "step_against_sigmoid", "attenuation_against_depth", "dead_units", "paired_comparison")
