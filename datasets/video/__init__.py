"""Videos as numbered frames with times, read from files, folders and shards; and written."""

from zoo.datasets.video.reading import Video, open_video
from zoo.datasets.video.source import VideoError

__all__ = ["Video", "VideoError", "open_video"]
