"""Reading a folder with one subfolder per class: which entries are videos, and which are not."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from zoo.files.first_few import first_few

__all__ = ["VIDEOS", "ClassFolder", "is_left_out", "read_class_folders"]

# Video files that FFmpeg reads, without suffixes that mostly mean sound (.ogg), pictures or text.
SUFFIXES = """
    mp4 m4v mov qt mj2 f4v ismv psp avi divx xvid mkv mk3d webm mpg mpeg mpe mpv m1v m2v m2p vob ts
    m2t m2ts mts tp trp ty wtv wmv asf wm flv kux 3gp 3gpp 3g2 ogv ogm rm rmvb ivr mxf gxf imx dv
    dif nut y4m ivf obu h261 h263 264 avc h264 265 hevc h265 266 vvc h266 apv vc1 rcv mjpg mjpeg
    gif apng amv bik smk cin roq viv nsv nuv dav evc avs2 avs3 usm moflex
"""
VIDEOS = tuple(f".{suffix}" for suffix in SUFFIXES.split())
# Folders that operating systems, editors and network shares create; names in lower case.
LITTER = {
    "__macosx",
    "__pycache__",
    "@eadir",
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbnails",
    "thumbs",
}


@dataclass
class ClassFolder:
    """The videos of a folder of class folders.

    Attributes:
        videos: (class, path from the root) of every video file or folder of frames, sorted.
        left_out: Kind of ignored entry -> paths from the root.
    """

    videos: list[tuple[str, str]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, kind: str, path: str) -> None:
        """Remember an entry that is not a video."""
        self.left_out.setdefault(kind, []).append(path)

    def notes(self) -> list[str]:
        """What was ignored: how many entries of each kind, and the first names."""
        return [
            f"ignored: {len(paths)} {kind}: {first_few(paths)}"
            for kind, paths in self.left_out.items()
        ]


def is_left_out(name: str) -> bool:
    """Whether a file or folder is hidden or was created by the operating system."""
    return name.startswith(".") or name.lower() in LITTER


def read_class_folders(root: str | os.PathLike) -> ClassFolder:
    """The videos of a folder with one subfolder per class, of video files or folders of frames.

    Ignored, and listed in `left_out`, are hidden entries, what operating systems add (`__MACOSX`,
    `._a.mp4`, `@eaDir`, `.ipynb_checkpoints`, thumbnails), files of other kinds, and folders
    without a video.
    """
    found, root = ClassFolder(), Path(root)
    for entry in sorted(root.iterdir()):
        if is_left_out(entry.name):
            found.leave_out("hidden or system entries", entry.name)
        elif entry.is_dir():
            _read_class(entry, found)
        elif entry.suffix.lower() in VIDEOS:
            found.leave_out("videos outside a class folder", entry.name)
    return found


def _read_class(folder: Path, found: ClassFolder) -> None:
    videos = []
    for entry in sorted(folder.iterdir()):
        path = f"{folder.name}/{entry.name}"
        if is_left_out(entry.name) or entry.name.lower() in ("thumbs.db", "desktop.ini"):
            found.leave_out("hidden or system entries", path)
        elif entry.is_dir() or entry.suffix.lower() in VIDEOS:
            videos.append((folder.name, path))
        else:
            found.leave_out("files that are not videos", path)
    if not videos:
        found.leave_out("folders without a video", folder.name)
    found.videos += videos
