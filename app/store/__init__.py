"""All SQL of the program, a module for each thing that is stored. The SQL functions are in `migrations/`."""
