"""The leaderboard, figures and exports. No model is loaded here."""
