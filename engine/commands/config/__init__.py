"""``ecg-stream config …``: settings from a file and the environment."""

from engine.commands.config.show_command import show
from streamer.console.panels import command_group

config = command_group("config", "Settings from a file and the environment.", ())
# Whatever options of playing follow are read by the parser of playing.
config.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(show)
