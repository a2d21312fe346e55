"""The weights alone make a gradient vanish or explode, whatever the activation."""

FIGURES = ("phase_diagram", "step_against_sigmoid", "attenuation_against_depth", "dead_units", "paired_comparison")
