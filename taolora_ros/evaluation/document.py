"""All figures of an evaluation as plain data: what `--json` writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.curves import precision_recall
from taolora_ros.evaluation.fidelity import twins_to_mapping
from taolora_ros.evaluation.metrics import mean
from taolora_ros.evaluation.operating import operating_curve, operating_to_mapping
from taolora_ros.evaluation.report import ReportRun, twins_of
from taolora_ros.evaluation.summary import run_to_mapping, summarize, summary_to_mapping


def evaluation_to_mapping(
    runs: Sequence[ReportRun], *, channels: Sequence[str], detection: DetectionConfig
) -> dict[str, Any]:
    """Figures over all runs and by run; what is undefined is None.

    Args:
        runs: in the order in which they are listed.
        channels: C names.
        detection: settings of the event tracker, for the curve over other thresholds.
    """
    results, twins = [run.result for run in runs], twins_of(runs)
    pooled = precision_recall(results)
    return {
        **summary_to_mapping(summarize(results)),
        'pooled_average_precision': pooled and pooled.area,
        'mean_average_precision_fp32': mean(pair.fp32.average_precision for pair in twins),
        **twins_to_mapping(twins),
        'operating_curve': operating_to_mapping(operating_curve(results, detection)),
        'channels': list(channels),
        'runs': [_run(run, channels) for run in runs],
    }


def _run(run: ReportRun, channels: Sequence[str]) -> dict[str, Any]:
    return {
        **run_to_mapping(run.result, channels),
        'average_precision_fp32': run.twin and run.twin.average_precision,
        **twins_to_mapping(twins_of([run])),
    }
