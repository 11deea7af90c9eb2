"""``python -m ecg_stream`` is the `ecg-stream` command."""

from ecg_stream.command_line import main

if __name__ == "__main__":
    main()
