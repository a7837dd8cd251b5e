"""What customers and employees are told: welcomes and alerts."""
