"""Importers: make targets and tasks from tables of statistics, prompt files, and replies of people."""
