"""`taolora bench`: what is measured on this machine, a subcommand a subject."""

from __future__ import annotations

import click

from taolora_ros.cli.lazy_group import LazyGroup

# What `--help` says of a bench, without importing it.
BENCHES = {
    'engine': 'Latency of a hop on the CPU, against ONNX Runtime, torch and our own FP32.',
    'jitter': 'How evenly hops take their time, steady and transient ones mixed.',
    'memory': 'Bytes of model, artifact and engine by part, and of a running detector.',
    'streams': 'What a hop costs a stream when many are watched at once.',
    'ingest': 'CPU time to take a message in, against plain rclpy, and whether any is lost.',
    'pipeline': 'Delay from a blow in the live graph to the event, and CPU share of a detector.',
    'offline': 'Rows a second over a whole recording, against torch in FP32.',
    'kernels': 'The dual-path layer on the GPU, against FP16 and other INT4 kernels.',
    'stream-step': 'Latency of a hop on the GPU, against CUDA graphs of FP16 torch.',
    'accuracy': 'Events, scores and outputs at 4 bits against FP32 and against others.',
    'document': 'Write what these benches found as Markdown.',
}


@click.group(
    cls=LazyGroup,
    name='bench',
    members=BENCHES,
    kind='bench',
    title='Benches',
    prefix='taolora_ros.cli.bench_',
)
def command() -> None:
    """Measure this package on this machine."""
