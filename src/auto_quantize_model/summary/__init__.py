"""What came of a set of cases, one record a case: the same for pytest and the command line."""
