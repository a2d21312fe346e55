"""Recording of a pass of any framework, from saved arrays and a list of the operations. Needs no torch."""
