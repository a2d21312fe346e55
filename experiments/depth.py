"""y(1−y) costs a gradient at least a factor of 4 at every layer; what Step costs does not depend on the layer."""

FIGURES = ("step_against_sigmoid", "gradient_profile", "attenuation_against_depth", "dead_units", "paired_comparison")
