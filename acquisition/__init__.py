"""Where customers come from: channels, live codes, touches."""
