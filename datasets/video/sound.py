"""Adding the sound of a video to a film of new pictures."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import av

# Codecs that mp4 files may contain and browsers play; other sound is re-encoded as AAC.
COPIED = ("aac", "mp3", "opus", "flac", "ac3", "eac3")


def add_sound(film: str | os.PathLike, source: str | os.PathLike, start: float = 0.0) -> bool:
    """Add the sound of a video to an mp4 film made from it.

    Sound after the film's end is left out. The film is replaced once the new one is complete.

    Args:
        film: An mp4 file without sound.
        source: The video with the sound.
        start: Time in the video, in seconds, at which the film begins.

    Returns:
        Whether the source has sound.

    Raises:
        av.error.FFmpegError: The sound cannot be read; the film is left unchanged.

    Example: `add_sound("overlay.mp4", "clip.mp4", start=2.0)`
    """
    film = Path(film)
    part = film.with_name(f".{film.name}.{os.getpid()}.sound")
    try:
        with (
            av.open(str(source)) as given,
            av.open(str(film)) as pictures,
            av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as out,
        ):
            if not given.streams.audio:
                return False
            _write(pictures, given, out, start)
        os.replace(part, film)
    finally:
        part.unlink(missing_ok=True)
    return True


def _write(pictures, given, out, start: float) -> None:
    video, audio = pictures.streams.video[0], given.streams.audio[0]
    new_video = out.add_stream_from_template(video)
    length = float((video.duration or 0) * video.time_base)
    begin = start
    if given.streams.video and given.streams.video[0].start_time is not None:
        begin += float(given.streams.video[0].start_time * given.streams.video[0].time_base)
    if audio.codec_context.name in COPIED:
        new_audio = out.add_stream_from_template(audio)
        sound = _copied(given, audio, begin, begin + length)
    else:
        rate = audio.codec_context.sample_rate
        layout = "mono" if audio.layout.nb_channels == 1 else "stereo"
        new_audio = out.add_stream("aac", rate=rate, layout=layout)
        sound = _encoded(given, audio, new_audio, begin, begin + length)
    film = ((packet, new_video) for packet in pictures.demux(video) if packet.dts is not None)
    for packet, stream in _by_time(film, ((packet, new_audio) for packet in sound)):
        packet.stream = stream
        out.mux(packet)


def _copied(given, audio, begin: float, end: float) -> Iterator[av.Packet]:
    shift = round(begin / audio.time_base)
    for packet in given.demux(audio):
        if packet.pts is None or packet.pts < shift:
            continue
        if packet.pts * audio.time_base >= end:
            return
        packet.pts -= shift
        packet.dts = packet.pts
        yield packet


def _encoded(given, audio, new_audio, begin: float, end: float) -> Iterator[av.Packet]:
    resampler = av.AudioResampler("fltp", new_audio.layout, new_audio.rate)
    samples = 0
    for frame in given.decode(audio):
        if frame.time is None or frame.time < begin:
            continue
        if frame.time >= end:
            break
        for ready in resampler.resample(frame):
            ready.pts, samples = samples, samples + ready.samples
            yield from new_audio.encode(ready)
    yield from new_audio.encode(None)


def _by_time(*streams: Iterator) -> Iterator:
    """Packets of several streams in the order of their times, as a file stores them."""
    waiting = []
    for stream in streams:
        with contextlib.suppress(StopIteration):
            waiting.append((next(stream), stream))
    while waiting:
        item = min(waiting, key=lambda held: held[0][0].dts * held[0][0].time_base)
        waiting.remove(item)
        yield item[0]
        with contextlib.suppress(StopIteration):
            waiting.append((next(item[1]), item[1]))
