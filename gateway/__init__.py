"""The only door: callbacks, webhooks, REST, live stream."""
