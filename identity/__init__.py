"""One id per customer: identifiers, relations, staff, access."""
