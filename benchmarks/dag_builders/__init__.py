"""Programs that build many DAGs and print how much CPU time that took, each in a process of its own."""
