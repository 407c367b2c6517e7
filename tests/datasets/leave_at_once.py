"""A pytest plugin that exits at once: tensorflow-io's S3 client aborts when Python shuts down."""

import os
import sys


def pytest_sessionfinish(session, exitstatus):
    session.config.leave_with = int(exitstatus)


def pytest_unconfigure(config):
    sys.stdout.flush()
    os._exit(getattr(config, "leave_with", 2))
