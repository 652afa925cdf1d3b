"""Avatars: which picture a user has, and how uploaded pictures are checked, processed and stored."""
