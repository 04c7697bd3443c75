"""What people look at: the dashboard, an integration, a run. Pages are values; nothing here opens or asks anything."""
