# The engine without a window, as a service: see docs/service.md. Build it in the folder of this file.
FROM python:3.11-slim

WORKDIR /opt/ecg-stream
COPY pyproject.toml locked.txt README.md LICENSE ./
COPY ecg_stream ecg_stream
COPY streamer streamer
COPY engine engine
COPY gui gui
COPY models models
COPY ward ward
RUN pip install --no-cache-dir --constraint locked.txt ".[service,files,ward,hospital]"
RUN useradd --create-home --uid 10001 ecg && install --directory --owner ecg /recordings /log

USER ecg
WORKDIR /recordings
EXPOSE 9464
# What an engine that hangs or a run that is stuck is recognised by; whether signal comes, /ready says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/health', timeout=4)"]
# SIGTERM ends a run as Ctrl-C does: what was read is still cleaned and recorded.
STOPSIGNAL SIGTERM
ENTRYPOINT ["ecg-stream"]
CMD ["--source", "lsl", "--wait", "--restart", "--metrics", "0.0.0.0:9464", "--log", "json"]
