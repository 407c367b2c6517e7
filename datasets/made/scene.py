"""The scenes of moving_targets: random positions of all objects in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = ("circle", "shake", "bounce", "diagonal", "figure_eight", "jump", "freeze")
LEAD = 8  # extra frames before the first one, because gaze follows the objects with a delay
AMPLITUDE = 0.11  # amplitude of the action's motion, as a fraction of the frame
PERIOD = 0.6  # seconds for one cycle of the action
ACTION_SHARE = (0.4, 0.6)  # fraction of the frames that show the action
MARGIN = 0.08
HIDDEN = 0.25  # fraction of the time for which bars, if there are any, hide the target


@dataclass(frozen=True)
class Scene:
    """Positions of all objects over time; object 0 is the target."""

    paths: np.ndarray  # (objects, LEAD + frames, 2), x and y in [0, 1]
    radii: np.ndarray  # (objects,) as a fraction of the frame's shorter side
    label: int
    segment: tuple[int, int]  # first frame of the action, and the frame after its last
    bars: np.ndarray  # (bars, 2) left and right edge, as a fraction of the width
    appearance_seed: int


def draw_scene(
    rng: np.random.Generator,
    *,
    frames: int,
    fps: float,
    label: int,
    objects: int,
    occlusions: bool,
    action_share: tuple[float, float] = ACTION_SHARE,
) -> Scene:
    """Draw the scene of a video whose target performs the action `label` in a part of it."""
    length = frames + LEAD
    least, most = (round(share * frames) for share in action_share)
    if tuple(action_share) == ACTION_SHARE:
        latest, least, most = frames // 3, frames * 2 // 5, frames * 3 // 5
    else:  # a shorter action may start later and still leave room after it
        latest = frames - most - frames // 6
    start = int(rng.integers(frames // 6, max(frames // 6 + 1, latest)))
    stop = int(min(frames - 2, start + rng.integers(least, most + 1)))
    stop = max(stop, start + 1)
    paths = np.stack([_wander(rng, length, fps) for _ in range(objects)])
    paths[0] = _act(rng, paths[0], CLASSES[label], start + LEAD, stop + LEAD, fps)
    radii = rng.uniform(0.065, 0.085, objects)
    bars = np.zeros((0, 2))
    if occlusions:
        bars = _bars(rng, paths[0, LEAD:, 0])
    return Scene(paths, radii, label, (start, stop), bars, int(rng.integers(2**31)))


def _bars(rng: np.random.Generator, across: np.ndarray) -> np.ndarray:
    """Two bars on the target's path that hide it for about a quarter of the time."""
    best, bars = np.inf, np.zeros((2, 2))
    for _ in range(60):
        middle = rng.choice(across, size=2) + rng.uniform(-0.2, 0.2, 2)
        half = rng.uniform(0.05, 0.08, 2)
        hidden = np.mean(np.any(np.abs(across[:, None] - middle) < half, axis=1))
        if abs(hidden - HIDDEN) < best:
            best = abs(hidden - HIDDEN)
            bars = np.clip(np.stack([middle - half, middle + half], axis=1), 0, 1)
    return bars


def _wander(rng: np.random.Generator, length: int, fps: float) -> np.ndarray:
    """Straight flight at constant speed, reflected at the edges, with a slight sway."""
    time = np.arange(length)[:, None] / fps
    angle = rng.uniform(0, 2 * np.pi)
    velocity = rng.uniform(0.2, 0.45) * np.array([np.cos(angle), np.sin(angle)])
    sway = 0.02 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8, 2) * time + rng.uniform(0, 6, 2))
    line = rng.uniform(0, 1, 2) + velocity * time
    folded = 1 - np.abs((line % 2) - 1)
    return MARGIN + 0.02 + (1 - 2 * MARGIN - 0.04) * folded + sway


def _act(
    rng: np.random.Generator, path: np.ndarray, name: str, start: int, stop: int, fps: float
) -> np.ndarray:
    """Interrupt the path from `start` to `stop` by the motion of the action."""
    clock = np.arange(len(path))
    halted = np.where(clock < start, clock, np.maximum(start, clock - (stop - start)))
    still = path[halted]
    room = MARGIN + AMPLITUDE
    acting = (clock >= start) & (clock < stop)
    # The action needs room on all sides: move the path away from the edges around that time.
    near = np.clip(np.minimum(clock - (start - 10), (stop + 10) - clock) / 10, 0, 1)[:, None]
    still = still + near * (np.clip(still, room, 1 - room) - still)
    phase = 2 * np.pi * (clock - start) / (PERIOD * fps) + rng.uniform(0, 2 * np.pi)
    turn = rng.choice([-1, 1])
    zero = np.zeros_like(phase)
    if name == "circle":
        offset = np.stack([np.cos(turn * phase), np.sin(turn * phase)], axis=1)
    elif name == "shake":
        offset = np.stack([np.sin(phase), zero], axis=1)
    elif name == "bounce":
        offset = np.stack([zero, 1 - 2 * np.abs(np.sin(phase / 2))], axis=1)
    elif name == "diagonal":
        offset = np.stack([np.sin(phase), turn * np.sin(phase)], axis=1)
    elif name == "figure_eight":
        offset = np.stack([np.sin(phase / 1.5), turn * np.sin(2 * phase / 1.5)], axis=1)
    elif name == "jump":
        hold = max(1, round(0.2 * fps))
        spots = rng.uniform(-1, 1, (len(path) // hold + 1, 2))
        offset = np.repeat(spots, hold, axis=0)[: len(path)]
    else:  # freeze
        offset = np.stack([zero, zero], axis=1)
    ramp = np.clip(np.minimum(clock - start + 1, stop - clock) / 3, 0, 1)[:, None]
    return still + np.where(acting[:, None], ramp * AMPLITUDE * offset, 0.0)


def boxes(scene: Scene, height: int, width: int) -> np.ndarray:
    """Boxes of all objects in pixels, (objects, frames, 4) as x, y, width, height, not clipped."""
    side = 2 * scene.radii * min(height, width)
    centre = scene.paths[:, LEAD:] * np.array([width, height])
    sides = np.broadcast_to(side[:, None, None], centre.shape)
    return np.concatenate([centre - sides / 2, sides], axis=-1).astype(np.float32)


def visible_share(scene: Scene, boxes_of_target: np.ndarray, width: int) -> np.ndarray:
    """Fraction of the target's box that no bar covers, (frames,)."""
    left, right = boxes_of_target[:, 0], boxes_of_target[:, 0] + boxes_of_target[:, 2]
    grid = left[:, None] + (right - left)[:, None] * (np.arange(64) + 0.5) / 64
    covered = np.zeros(grid.shape, bool)
    for low, high in scene.bars * width:
        covered |= (grid >= low) & (grid < high)
    return (1 - covered.mean(axis=1)).astype(np.float32)
