"""`ecg-stream profile …`: what hops, streams, a start, files, a long file, a push, LSL and GPU backends cost.

The front door adds `profile screen`, which is `gui`'s.
"""

from engine.commands.profile.compare_command import compare
from engine.commands.profile.day_command import day
from engine.commands.profile.files_command import files
from engine.commands.profile.gpu_command import gpu
from engine.commands.profile.hops_command import hops
from engine.commands.profile.lsl_command import lsl
from engine.commands.profile.push_command import push
from engine.commands.profile.start_command import start
from engine.commands.profile.streams_command import streams
from engine.commands.profile.sweep_command import sweep
from streamer.console.panels import command_group

profile = command_group(
    "profile",
    "Time the engine, files, LSL, the window or the GPU backends.",
    (hops, streams, sweep, start, compare, files, day, push, lsl, gpu),
)
