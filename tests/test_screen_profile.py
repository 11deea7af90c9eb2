"""The window, timed: what is fed to it is drawn."""

from gui.screen_profile import wall


def test_every_bed_of_the_wall_has_new_signal_in_every_frame(qapp, monkeypatch):
    ends = []
    timed = wall._time_frames

    def followed(window, feeds, frames):
        figures = timed(window, feeds, 2)
        ends.append([monitor.buffer.final for monitor in window.run.monitors])
        return figures

    monkeypatch.setattr(wall, "_time_frames", followed)
    assert wall.profile_wall(2)["frames_per_s"] > 0
    hops = 2 * round(0.04 * 360)
    assert ends == [[hops] * wall.BEDS, [2 * hops] * wall.BEDS]
