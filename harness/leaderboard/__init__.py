"""The leaderboard: records in, ranked rows out, and the rows as text."""
