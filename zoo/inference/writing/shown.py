"""Ways to view a prediction: pictures, in a notebook or a window, and table rows."""

from __future__ import annotations

import base64
import html
import os
from typing import Any

import cv2
import numpy as np

from zoo.files.printable import one_line
from zoo.visualize.overlay import overlay

STRIP = 6  # frames in a strip
STRIP_HEIGHT = 140
PLOT_HEIGHT = 360  # smaller videos are enlarged, so that markers do not hide them


class Shown:
    """Mixin with the views that all predictions share.

    A subclass must provide `source`, the open video; `frames`, the numbers of the frames with
    a prediction; `height`, `width` and `fps`; `heat(place)`, the map drawn over a frame, or None;
    `rows`, which returns a list of dicts; and `headline`, a line of text.
    """

    def picture(self, frame: int | None = None, *, height: int | None = None) -> np.ndarray:
        """A frame with its heat map and gaze candidates: (height, width, 3) uint8 RGB.

        Args:
            frame: its number; default the middle one of those with a prediction.
            height: height of the picture; default the video's.
        """
        place = self._place(frame)
        size = (
            None if height is None else (height, max(1, round(height * self.width / self.height)))
        )
        picture = self._source().read([int(self.frames[place])], size=size)[0]
        heat = self.heat(place)
        if heat is None:
            return picture
        return overlay(picture, heat, candidates=self.places(place))

    def places(self, place: int) -> np.ndarray | None:
        """Gaze candidates (k, 3) to mark in a frame, or None."""
        return None

    def plot(self, frame: int | None = None, ax: Any = None) -> Any:
        """Draw a frame with its heat map into matplotlib axes, and return the axes.

        Args:
            frame: its number; default the middle one of those with a prediction.
            ax: the axes to draw into; default those of a new figure, created without pyplot.

        Example: `prediction.plot(40).figure.savefig("frame.png")`
        """
        place = self._place(frame)
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(figsize=(6.4, 6.4 * self.height / self.width), layout="tight").subplots()
        number = int(self.frames[place])
        ax.imshow(self.picture(number, height=max(self.height, PLOT_HEIGHT)))
        title = f"{self.title}, frame {number}, {self.seconds_of(number):.2f} s"
        ax.set_title(one_line(title), parse_math=False)
        ax.set_axis_off()
        return ax

    def seconds_of(self, frame: float) -> float:
        """Time of a frame by the video's time stamps; 2.5 is the middle of frame 2."""
        if self.source is None:
            return frame / self.fps
        edges = self.source.edges
        return float(np.interp(frame, np.arange(len(edges)), edges))

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of the damaged parts of the video."""
        return () if self.source is None else tuple(map(str, self.source.damage))

    @property
    def title(self) -> str:
        """The video's name, without its folder."""
        return os.path.basename(str(self.video).rstrip("/")) or str(self.video)

    def strip(self, count: int = STRIP) -> np.ndarray:
        """Evenly spaced frames with their heat maps, side by side: RGB, uint8."""
        count = min(count, len(self.frames))
        chosen = np.unique(np.linspace(0, len(self.frames) - 1, count).round().astype(int))
        pictures = [self.picture(int(self.frames[p]), height=STRIP_HEIGHT) for p in chosen]
        return np.concatenate(pictures, axis=1)

    def show(self) -> None:
        """Show a strip of overlays: in a notebook as its output, elsewhere in a window."""
        try:
            from IPython import get_ipython
            from IPython.display import HTML, display
        except ImportError:
            get_ipython = None
        if get_ipython is not None and get_ipython() is not None:
            display(HTML(self._repr_html_()))
            return
        import matplotlib.pyplot as plt

        strip = self.strip()
        figure, ax = plt.subplots(figsize=(12, 12 * strip.shape[0] / strip.shape[1] + 0.4))
        ax.imshow(strip)
        ax.set_title(one_line(self.headline), parse_math=False)
        ax.set_axis_off()
        plt.show()
        plt.close(figure)

    def to_dataframe(self) -> Any:
        """The rows as a pandas DataFrame; pandas must be installed.

        Example: `prediction.to_dataframe().groupby("frame").first()`
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "`to_dataframe` needs pandas: pip install pandas. `rows()` works without it."
            ) from error
        return pandas.DataFrame(self.rows())

    def _repr_html_(self) -> str:
        text = html.escape(self.headline)
        try:
            strip = self.strip()
        except (OSError, ValueError, IndexError) as error:  # the video may be gone by now
            return f"<p>{text}</p><p>The video cannot be read: {html.escape(str(error))}</p>"
        _, png = cv2.imencode(".png", np.ascontiguousarray(strip[..., ::-1]))
        data = base64.b64encode(png.tobytes()).decode()
        about = f"Frames of {html.escape(self.title)} with heat maps of the prediction"
        return (
            f'<figure style="margin:0"><img alt="{about}" style="max-width:100%" '
            f'src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
        )

    def _source(self) -> Any:
        if self.source is None:
            raise ValueError("The prediction must have its open video. Received: source=None")
        return self.source

    def _place(self, frame: int | None) -> int:
        if frame is None:
            return len(self.frames) // 2
        place = int(np.searchsorted(self.frames, frame))
        if place >= len(self.frames) or self.frames[place] != frame:
            raise IndexError(
                f"`frame` must be one of the {len(self.frames)} frames with a prediction. "
                f"Received: frame={frame}"
            )
        return place
