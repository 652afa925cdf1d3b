"""Payment methods: the test cards, and the customers they are attached to."""
