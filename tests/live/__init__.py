"""Tests of `app.live`."""
