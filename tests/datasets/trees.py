"""Folders in the published layouts of data sets, for tests: names and lists, without videos."""

from __future__ import annotations

from pathlib import Path

from zoo.datasets import hmdb51, hollywood2, moments, ucf11, ucf101, ucf101_24


def touch(*paths):
    """Empty files, with their folders."""
    for folder in {Path(path).parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        Path(path).write_bytes(b"")


def write(path, lines, end="\n"):
    """A text file of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}{end}" for line in lines).encode())


def ucf101_tree(root, end="\r\n"):
    """UCF101 with its full counts: every clip is in the training or test list of each fold."""
    stem = {name: name for name in ucf101.CLASSES} | {"HandstandPushups": "HandStandPushups"}
    names = [
        f"{name}/v_{stem[name]}_g{g:02d}_c{c:02d}.avi"
        for g in range(1, 26)
        for c in range(1, 8)
        for name in ucf101.CLASSES
    ][:13320]
    lists = root / "ucfTrainTestlist"
    write(lists / "classInd.txt", [f"{i} {n}" for i, n in enumerate(ucf101.CLASSES, 1)], end)
    number = {name: at for at, name in enumerate(ucf101.CLASSES, 1)}
    for fold, (_, test) in ucf101.COUNTS.items():
        held_out = set(names[fold::3][:test])
        rows = [f"{n} {number[n.split('/')[0]]}  " for n in names if n not in held_out]
        write(lists / f"trainlist{fold:02d}.txt", rows, end)
        write(lists / f"testlist{fold:02d}.txt", sorted(held_out), end)
    touch(*(root / "UCF-101" / name for name in names))
    return names


def hmdb51_tree(root, end=" \r\n"):
    """HMDB51 with its full counts and the unusual characters of its names."""
    left = dict(hmdb51.DESCRIPTION.counts)
    flags = {split: flag for flag, split in hmdb51.SPLITS.items()}
    names = {
        name: [f"(A)_[b]_#{n}&_!_{name}_f_cm_np1_ba_med_{n}.avi" for n in range(140)]
        for name in hmdb51.CLASSES
    }
    lists = root / "testTrainMulti_7030_splits"
    paths = []
    for at, (name, clips) in enumerate(names.items()):
        rows = []
        for split, share in (("train", 70), ("test", 30), ("unused", 40)):
            last = at == len(names) - 1
            count = left[split] if last else min(left[split], share)
            left[split] -= count
            rows += [(clips.pop(), flags[split]) for _ in range(count)]
        for fold in hmdb51.FOLDS:
            write(lists / f"{name}_test_split{fold}.txt", [f"{c} {f}" for c, f in rows], end)
        paths += [root / "hmdb51_org" / name / clip for clip, _ in rows]
    touch(*paths)
    return paths


def hollywood2_tree(root, end="\n"):
    """Hollywood2 with its full counts: clip i has class i % 12, every tenth clip class 0 too."""
    root = root / "Hollywood2"
    for split, count in hollywood2.DESCRIPTION.counts.items():
        clips = [f"actionclip{split}{n:05d}" for n in range(1, count + 1)]
        for at, name in enumerate(hollywood2.CLASSES):
            rows = [
                f"{clip}  {1 if n % 12 == at or (at == 0 and n % 10 == 0) else -1}"
                for n, clip in enumerate(clips, 1)
            ]
            write(root / "ClipSets" / f"{name}_{split}.txt", rows, end)
        touch(*(root / "AVIClips" / f"{clip}.avi" for clip in clips))
    return root


def ucf11_tree(root):
    """UCF11 with its full counts; file names do not contain the class."""
    paths = [
        root / "action_youtube_naudio" / name / f"v_clip_{g:02d}" / f"v_clip_{g:02d}_{c:02d}.avi"
        for c in range(1, 8)
        for g in range(1, 26)
        for name in ucf11.CLASSES
    ][:1600]
    touch(*paths)
    touch(root / "action_youtube_naudio" / "basketball" / "Annotation" / "v_clip_01.xgtf")
    return paths


def moments_tree(root, rows):
    """Moments in Time with `rows` of (split, label, file)."""
    for split, folder in moments.FOLDERS.items():
        held = [row for row in rows if row[0] == split]
        table = [f"{label}/{file},{label},3,1" for _, label, file in held]
        write(root / f"{folder}Set.csv", table)
        touch(*(root / folder / label / file for _, label, file in held))
    numbered = [f"{name},{at}" for at, name in enumerate(moments.CLASSES)]
    write(root / "moments_categories.txt", numbered)


def ucf101_24_boxes():
    """An annotation like the published one: uint8 values whose sum exceeds 255."""
    import numpy as np

    return {
        f"{name}/v_{name}_g01_c{clip:02d}": {
            "numf": np.uint8(40),
            "label": at,
            "annotations": [
                {
                    "label": at,
                    "sf": 3,
                    "ef": 5,
                    "boxes": np.array([[200, 1, 100, 50], [201, 2, 100, 50]], np.uint8),
                }
            ],
        }
        for at, name in enumerate(ucf101_24.CLASSES)
        for clip in (1, 2)
    }
