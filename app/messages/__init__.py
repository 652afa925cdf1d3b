"""Mail and text messages: what they say, how they wait for the worker, who carries them, and the inbox of development."""
