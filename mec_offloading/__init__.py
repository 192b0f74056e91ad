"""The commands of the project, and a second name for its packages."""
