"""The design-space reductions AnyNet A to E and RegNet, reproduced: one command, a table, figures, a text."""
