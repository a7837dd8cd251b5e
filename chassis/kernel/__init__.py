"""The shared kernel: the little that all services must agree on about the domain. Only this part knows the contract."""
