"""Importers: tables of statistics, prompts, and replies of people, made into targets and tasks."""
