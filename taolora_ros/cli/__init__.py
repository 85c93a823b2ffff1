"""The `taolora` command, one short file a verb."""
