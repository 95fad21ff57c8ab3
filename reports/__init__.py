"""The leaderboard, figures and exports. Never loads a model."""
