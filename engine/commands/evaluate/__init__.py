"""`ecg-stream evaluate …`: how well systems clean, each track in a file of its own."""

from engine.commands.evaluate.beats_command import beats
from engine.commands.evaluate.conformance_command import conformance
from engine.commands.evaluate.frontier_command import frontier
from engine.commands.evaluate.hospitals_command import hospitals
from engine.commands.evaluate.papers_command import papers
from engine.commands.evaluate.qtdb_command import qtdb
from engine.commands.evaluate.rates_command import rates
from engine.commands.evaluate.safety_command import safety
from engine.commands.evaluate.stress_command import stress
from engine.commands.evaluate.tables_command import tables
from engine.commands.evaluate.track_f_command import track_f
from engine.commands.evaluate.track_s_command import track_s
from engine.commands.evaluate.waves_command import waves
from engine.commands.evaluate.worst_command import worst
from streamer.console.panels import command_group

evaluate = command_group(
    "evaluate",
    "Score networks and filters, for quality and for safety.",
    (
        track_f,
        track_s,
        qtdb,
        stress,
        beats,
        waves,
        conformance,
        hospitals,
        safety,
        rates,
        frontier,
        worst,
        tables,
        papers,
    ),
)
