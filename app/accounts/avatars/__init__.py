"""Avatars: which picture a user shows, and how pictures are checked, drawn and stored."""
