"""Faults and recoveries, one module a family."""
