"""Reading videos as numbered frames with times, from files, folders and shards; and writing."""

from zoo.datasets.video.frame_index import Damage, FrameIndex
from zoo.datasets.video.reading import Video, VideoError, open_record, open_video

__all__ = ["Damage", "FrameIndex", "Video", "VideoError", "open_record", "open_video"]
