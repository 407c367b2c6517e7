"""Presets read exports with the column names of common eye trackers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.real_data import data_dir
from zoo.datasets.gaze.presets import PRESETS, gaze_format
from zoo.datasets.gaze.reading import read_fixations
from zoo.datasets.record import GazeSource, Record

SCREEN = (1920, 1080)
TIMES = np.arange(10) / 25
VIDEO = {"num_frames": 10, "width": 640, "height": 360, "frame_times": TIMES}


def read(path, form, video="films/clip.mp4"):
    record = Record("clip", video, gaze=GazeSource((str(path),), csv=form))
    return read_fixations(record, **VIDEO, warn=False)


def written(tmp_path, text, name="export.tsv", encoding="utf-8"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return tmp_path / name


@pytest.mark.parametrize("unit, scale", [("", 1000), (" [μs]", 1000), (" [ms]", 1)])
def test_tobii_pro_lab(tmp_path, unit, scale):
    px = " [DACS px]" if unit else ""
    head = [f"Recording timestamp{unit}", "Participant name", "Sensor", "Presented Stimulus name"]
    head += [
        f"Gaze point {what}{px}" for what in ("X", "Y", "left X", "left Y", "right X", "right Y")
    ]
    head += ["Validity left", "Validity right"]
    rows = ["\t".join(head)]
    for at in range(60):  # half of the session shows another stimulus
        shown = "other" if at < 30 else "clip"
        points = "960\t540\t950\t540\t970\t540\tValid\tValid"
        if at == 31:
            points = "970\t540\t\t\t970\t540\tInvalid\tValid"
        if at == 32:
            points = "\t\t\t\t\t\tInvalid\tInvalid"
        rows.append(f"{at * 8 * scale}\tP 01\tEye Tracker\t{shown}\t{points}")
    path = written(tmp_path, "\r\n".join(rows), encoding="utf-16")
    keep = (("Presented Stimulus name", ("{stem}",)),)
    form = gaze_format("tobii_pro_lab", screen=SCREEN, time_start="first", keep=keep)
    both = read(path, form)
    assert both.viewer_names == ("P 01",) and both.issues.pop("lost by the tracker") == 1
    assert both.per_frame.tolist() == [4, 5, 5, 5, 5, 5, 0, 0, 0, 0]
    np.testing.assert_allclose(np.unique(both.x), [0.5, 970 / 1920])
    left = gaze_format("tobii_pro_lab", screen=SCREEN, time_start="first", keep=keep, eye="left")
    np.testing.assert_allclose(read(path, left).x, 950 / 1920)
    assert len(read(path, left)) == 28


def test_tobii_pro_lab_on_the_media(tmp_path):
    text = "Recording timestamp\tParticipant name\tGaze point X (MCSnorm)\tGaze point Y (MCSnorm)\n"
    rows = "".join(f"{at * 8333}\tA\t0,2500\t0,7500\n" for at in range(24))
    path = written(tmp_path, text + rows)
    form = gaze_format("tobii_pro_lab_media", time_start=0, decimal=",")
    fixations = read(path, form)
    assert np.unique(fixations.x).tolist() == [0.25] and np.unique(fixations.y).tolist() == [0.75]


def test_tobii_studio(tmp_path):
    head = "ParticipantName\tRecordingTimestamp\tMediaName\tGazePointLeftX (ADCSpx)\t"
    head += "GazePointLeftY (ADCSpx)\tGazePointRightX (ADCSpx)\tGazePointRightY (ADCSpx)\t"
    head += "GazePointX (ADCSpx)\tGazePointY (ADCSpx)\tGazePointX (MCSpx)\tGazePointY (MCSpx)\t"
    head += "ValidityLeft\tValidityRight\n"
    rows = "01\t5000\tclip.mp4\t480\t270\t500\t270\t490\t270\t160\t90\t0\t0\n"
    rows += "01\t5040\tclip.mp4\t480\t270\t-1\t-1\t480\t270\t160\t90\t1\t4\n"
    rows += "01\t5080\tclip.mp4\t\t\t\t\t\t\t\t\t4\t4\n"
    path = written(tmp_path, head + rows)
    keep = (("MediaName", ("{video}",)),)
    form = gaze_format("tobii_studio", screen=SCREEN, time_start=5000, keep=keep)
    np.testing.assert_allclose(read(path, form).x, [490 / 1920, 480 / 1920])
    right = gaze_format("tobii_studio", screen=SCREEN, time_start=5000, eye="right")
    np.testing.assert_allclose(read(path, right).x, [500 / 1920])
    media = gaze_format("tobii_studio_media", time_start=5000)
    np.testing.assert_allclose(read(path, media).x, [0.25, 0.25])


def test_pupil_core(tmp_path):
    head = "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data\n"
    rows = "1329.1,0,0.99,0.25,0.75,1329.1-0 1329.1-1\n"
    rows += "1329.2,3,0.3,0.9,0.9,x\n1329.3,4,0.6,1.2,0.5,x\n"
    path = written(tmp_path, head + rows, "gaze_positions.csv")
    fixations = read(path, gaze_format("pupil_core"))
    assert (fixations.frame[0], fixations.x[0], fixations.y[0]) == (0, 0.25, 0.25)
    assert fixations.issues["lost by the tracker"] == fixations.issues["outside the frame"] == 1


def test_pupil_neon(tmp_path):
    start = 1_700_000_000_123_456_789
    head = "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,"
    head += "blink id,azimuth [deg],elevation [deg]\n"
    times = [start + int(at * 5e6) for at in range(80)]
    rows = "".join(f"s,r,{t},320.0,90.0,1,1,,0.1,0.2\n" for t in times)
    (tmp_path / "world_timestamps.csv").write_text(
        f"section id,recording id,timestamp [ns]\ns,r,{start}\ns,r,{start + 40_000_000}\n"
    )
    fixations = read(written(tmp_path, head + rows, "gaze.csv"), gaze_format("pupil_neon"))
    assert fixations.per_frame.tolist() == [8] * 10 and set(fixations.y) == {0.25}
    (tmp_path / "world_timestamps.csv").unlink()
    with pytest.raises(FileNotFoundError, match="world_timestamps"):
        read(tmp_path / "gaze.csv", gaze_format("pupil_neon"))


def test_smi(tmp_path):
    text = "## [iView]\n## Sample Rate:\t250\n##\n"
    text += "Time\tType\tTrial\tL POR X [px]\tL POR Y [px]\tR POR X [px]\tR POR Y [px]\tTiming\n"
    text += "8000000\tMSG\t1\t# Message: clip.mp4\n"
    rows = [(950, 540, 970, 540), (0, 0, 970, 540), (0, 0, 0, 0)]
    for at, row in enumerate(rows):
        told = "\t".join(f"{value:.2f}" for value in row)
        text += f"{8_000_000 + at * 40_000}\tSMP\t1\t{told}\t0\n"
    fixations = read(written(tmp_path, text), gaze_format("smi", screen=SCREEN, time_start=8e6))
    np.testing.assert_allclose(fixations.x, [0.5, 970 / 1920])
    assert fixations.frame.tolist() == [0, 1] and fixations.issues["lost by the tracker"] == 1
    one = text.replace("\tR POR X [px]\tR POR Y [px]", "\tr\ts")
    found = read(written(tmp_path, one), gaze_format("smi", screen=SCREEN, time_start=8e6))
    np.testing.assert_allclose(found.x, [950 / 1920])


def test_gazepoint(tmp_path):
    head = "MEDIA_ID,MEDIA_NAME,CNT,TIME(2026/01/05 10:00:00.000),TIMETICK(f=10000000),"
    head += "FPOGX,FPOGY,FPOGS,FPOGD,FPOGID,FPOGV,BPOGX,BPOGY,BPOGV,\n"
    rows = "0,clip,1,0.00000,1,0.4,0.4,0,0,1,1,0.25000,0.75000,1,\n"
    rows += "0,clip,2,0.04000,2,0.4,0.4,0,0,1,1,0.00000,0.00000,0,\n"
    fixations = read(written(tmp_path, head + rows), gaze_format("gazepoint", screen=SCREEN))
    assert (fixations.x.tolist(), fixations.y.tolist()) == ([0.25], [0.75])


def test_psychopy(tmp_path):
    head = "time\tleft_gaze_x\tleft_gaze_y\tright_gaze_x\tright_gaze_y\tstatus\n"
    rows = ["100.00\t-10\t270\t10\t270\t0", "100.04\t-480\t0\t900\t900\t2"]
    rows += ["100.08\t900\t900\t480\t0\t20", "100.12\t0\t0\t0\t0\t22"]
    form = gaze_format("psychopy", screen=SCREEN, time_start=100)
    expected = ([0.5, 0.25, 0.75], [0.25, 0.5, 0.5])
    table = read(written(tmp_path, head + "\n".join(rows)), form)
    np.testing.assert_allclose((table.x, table.y), expected)
    held = np.zeros(4, [(name, "f4") for name in head.split()[:-1]] + [("status", "u1")])
    for at, row in enumerate(rows):
        held[at] = tuple(map(float, row.split()))
    with h5py.File(tmp_path / "run.hdf5", "w") as file:
        group = file.create_group("data_collection/events/eyetracker")
        group.create_dataset("MonocularEyeSampleEvent", data=held[:0])
        group.create_dataset("BinocularEyeSampleEvent", data=held)
    form = gaze_format("psychopy", screen=SCREEN, time_start=100, file_type="iohub")
    binary = read(tmp_path / "run.hdf5", form)
    np.testing.assert_allclose((binary.x, binary.y), expected)
    with pytest.raises(ValueError, match=r"HDF5.*export\.tsv"):
        read(tmp_path / "export.tsv", form)


ASC = """** CONVERTED FROM P1.edf using edfapi 4.2.1
** TYPE: EDF_FILE BINARY EVENT SAMPLE TAGGED
MSG\t900 DISPLAY_COORDS 0 0 1919 1079
START\t990 \tLEFT\tRIGHT\tSAMPLES\tEVENTS
SAMPLES\tGAZE\tLEFT\tRIGHT\tRATE\t 250.00\tTRACKING\tCR\tFILTER\t2
MSG\t1000 VIDEO_START first.mp4
{first}
MSG\t5000 VIDEO_START clip.mp4
{second}
END\t9000 \tSAMPLES\tEVENTS\tRES\t  47.75\t  45.92
"""


def test_eyelink(tmp_path):
    pytest.importorskip("pymovements", reason="the extra `gaze` is not installed")
    line = "{}\t{}\t{}\t{}\t.....".format
    eye, lost = "  950.0\t  540.0\t  500.0", "   .\t   .\t    0.0"
    other = "  970.0\t  540.0\t  500.0"
    first = [line(1000 + at * 4, eye, other, "    0.0") for at in range(50)]
    second = [line(5000 + at * 4, eye, other, "    0.0") for at in range(100)]
    second[20] = line(5080, lost, other, "    0.0")
    second[30] = line(5120, lost, lost, "    0.0")
    path = written(tmp_path, ASC.format(first="\n".join(first), second="\n".join(second)), "P1.asc")
    message = "VIDEO_START {video}"
    fixations = read(path, gaze_format("eyelink", screen=SCREEN, start_message=message))
    assert fixations.per_frame.tolist() == [10, 10, 10, 9, *[10] * 6]
    assert fixations.viewer_names == ("P1",)
    np.testing.assert_allclose(np.unique(fixations.x), [0.5, 970 / 1920])
    assert fixations.issues == {"in other parts of the recording": 50, "lost by the tracker": 1}
    right = gaze_format("eyelink", screen=SCREEN, start_message=message, eye="right")
    np.testing.assert_allclose(read(path, right).x, 970 / 1920)
    with pytest.raises(ValueError, match=r"start_message.*VIDEO_START other.*P1\.asc"):
        read(path, gaze_format("eyelink", screen=SCREEN, start_message=message), "other.mp4")
    with pytest.raises(ValueError, match=r"\.asc.*junk\.asc"):
        read(
            written(tmp_path, "no samples\n", "junk.asc"),
            gaze_format("eyelink", screen=SCREEN, time_start=0),
        )


def test_presets_ask_for_missing_settings():
    with pytest.raises(ValueError, match="`screen`"):
        gaze_format("tobii_pro_lab", time_start="first")
    with pytest.raises(ValueError, match=r"clock.*time_start"):
        gaze_format("smi", screen=SCREEN)
    with pytest.raises(ValueError, match="no columns of single eyes"):
        gaze_format("pupil_neon", eye="left")
    with pytest.raises(ValueError, match="may have"):
        gaze_format("smi", colour="red")
    for name in PRESETS:  # each setting can be given
        gaze_format(name, screen=SCREEN, time_start="first" if name != "pupil_core" else 0.0)


def test_fixations_of_real_samples_by_velocity_and_dispersion():
    """Against an expert's labels: 1 fixation or 4 pursuit, as opposed to saccades and blinks."""
    pytest.importorskip("pymovements", reason="the extra `gaze` is not installed")
    folder = data_dir("gaze", "triple_jump")
    paths = tuple(str(path) for path in sorted(folder.glob("*.csv")))
    known = {"num_frames": 143, "width": 720, "height": 576, "frame_times": np.arange(143) / 25}
    form = {
        "x": "x_screen1024",
        "y": "y_screen768",
        "frame": None,
        "time": "t_s",
        "viewer": None,
        "placement": "centred",
        "screen": (1024, 768),
        "screen_cm": (38, 30),
        "distance_cm": 67,
        "valid": "valid",
    }
    found = {}
    for samples in ("all", "one_per_frame", "ivt", "idt"):
        record = Record(
            "jump", "none", gaze=GazeSource(paths, csv=gaze_format(**form, samples=samples))
        )
        found[samples] = read_fixations(record, **known, warn=False)
    assert len(found["all"]) > 10 * len(found["one_per_frame"])
    for samples in ("one_per_frame", "ivt", "idt"):
        once = np.unique(np.stack([found[samples].frame, found[samples].viewer]), axis=1)
        assert once.shape[1] >= 0.9 * len(found[samples])  # two fixations share some frames
    assert "fixations by I-VT (30 degrees per second" in found["ivt"].notes[0]
    per_frame = found["one_per_frame"]
    share = len(found["ivt"]) / len(per_frame)
    assert 0.6 < share < 1.05  # most samples are fixation or pursuit
    for viewer in per_frame.viewers[:2]:  # and at the positions of the samples
        own, raw = found["ivt"].of_viewers([viewer]), per_frame.of_viewers([viewer])
        near = np.interp(own.frame, raw.frame, raw.x)
        assert np.median(np.abs(own.x - near)) < 0.03
