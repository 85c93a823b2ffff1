"""Lets `python -m taolora_ros` stand for the `taolora` command."""

from __future__ import annotations

from taolora_ros.cli.main import main

main()
