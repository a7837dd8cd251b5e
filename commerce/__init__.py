"""What customers buy, and who earned it: orders, refunds, attribution, GMV."""
