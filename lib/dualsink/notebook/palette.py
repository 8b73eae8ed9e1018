"""Palette: colours with a meaning, the same everywhere."""

# Told apart also by colour-blind eyes; the order is that of stacked bars and of lists, from the least to the worst.
LEVEL_COLOURS = {
    "TRACE": "#d9d9d9",
    "DEBUG": "#a6bddb",
    "INFO": "#3b78b5",
    "UNKNOWN": "#8c8c8c",
    "WARN": "#f0a92e",
    "ERROR": "#d1495b",
    "FATAL": "#5c1a3d",
}
ARCHIVE_COLOUR, HOT_COLOUR, TIER_COLOUR = "#2a7f76", "#e07b39", "#7d9fc0"
