"""How a process of this house runs; what it does is the services' business."""
