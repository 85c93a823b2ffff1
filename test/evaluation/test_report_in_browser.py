"""The report as a real browser shows it: Chromium or Chrome, headless, over its debugging pipe.

The DevTools protocol is JSON with a NUL after each message; the browser reads file descriptor 3
and writes to 4 (--remote-debugging-pipe). It is cut off from the network.
"""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from taolora_ros.config import DetectionConfig
from taolora_ros.evaluation.report import ReportRun, write_report
from taolora_ros.evaluation.runs import judge

PROGRAMS = (
    'chromium-headless-shell',
    'chromium',
    'google-chrome',
    'google-chrome-stable',
    'chrome',
    'microsoft-edge',
)
INSTALL = 'sudo apt install chromium-headless-shell (Debian), or chromium, or google-chrome'
OPTIONS = (
    '--headless',
    '--no-sandbox',  # which root can't have; the pages are ours
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--no-first-run',
    '--no-proxy-server',
    '--hide-scrollbars',
    '--host-resolver-rules=MAP * ~NOTFOUND',
    '--remote-debugging-pipe',
)
PATIENCE_S = 60.0
WIDE, NARROW = 1280, 390  # a laptop's window, a phone's
COMPLAINTS = ('Log.entryAdded', 'Runtime.consoleAPICalled', 'Runtime.exceptionThrown')

# What the page is like once every picture has been decoded, or has failed to.
LOOK = """
(async () => {
  const pictures = [...document.images];
  await Promise.allSettled(pictures.map(picture => picture.decode()));
  const root = document.documentElement;
  const isWider = element => element.scrollWidth > element.clientWidth;
  return {
    width: root.scrollWidth,
    height: root.scrollHeight,
    text: document.body.innerText,
    pictures: pictures.map(picture => {
      const box = picture.getBoundingClientRect();
      return {alt: picture.alt, natural: picture.naturalWidth, left: box.left, right: box.right,
              top: box.top + scrollY, bottom: box.bottom + scrollY};
    }),
    wideTables: [...document.querySelectorAll('.scroll')].filter(isWider).length,
    deadLinks: [...document.querySelectorAll('a')].map(link => link.getAttribute('href'))
      .filter(target => !document.getElementById(target.slice(1))),
    bareTables: [...document.querySelectorAll('table')]
      .filter(table => !table.caption || !table.querySelector('th[scope=col]')).length,
  };
})()
"""


@dataclass(frozen=True, eq=False)
class Look:
    """What a browser showed of a page."""

    complaints: list[str]  # of console and log
    requests: list[str]  # for anything but the page itself and data in it
    page: dict[str, Any]  # what LOOK returns
    screen: np.ndarray[Any, np.dtype[np.float32]]  # [height, width, 3 or 4] of the whole page

    def colors(self, left: float, right: float, top: float, bottom: float) -> int:
        """How many different colors a part of the page holds."""
        part = self.screen[round(top) : round(bottom), round(left) : round(right), :3]
        red, green, blue = np.moveaxis((255 * part).round().astype(np.int64), 2, 0)
        return len(np.unique(red << 16 | green << 8 | blue))


class Browser:
    """A browser process; one page at a time."""

    def __init__(self, program: str, folder: Path) -> None:
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        wired = f'exec "$0" "$@" 3<&{reads} 4>&{writes}'
        self._process = subprocess.Popen(
            ['bash', '-c', wired, program, *OPTIONS, f'--user-data-dir={folder}', 'about:blank'],
            pass_fds=(reads, writes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._number = 0
        self._received = b''
        self._events: list[dict[str, Any]] = []

    def look(self, page: Path, *, width: int) -> Look:
        """Open a page in a window of this width and wait until it shows."""
        target = self._ask('Target.createTarget', url='about:blank')['targetId']
        session = self._ask('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        self._events.clear()
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._ask(f'{domain}.enable', session)
        window = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
        self._ask('Emulation.setDeviceMetricsOverride', session, **window)
        self._ask('Page.navigate', session, url=page.as_uri())
        while not self._named('Page.loadEventFired'):
            self._events.append(self._next())
        shown = self._ask(
            'Runtime.evaluate', session, expression=LOOK, awaitPromise=True, returnByValue=True
        )['result']['value']
        clip = {'x': 0, 'y': 0, 'width': width, 'height': shown['height'], 'scale': 1}
        picture = self._ask(
            'Page.captureScreenshot', session, captureBeyondViewport=True, clip=clip
        )['data']
        self._ask('Target.closeTarget', targetId=target)
        urls = [event['request']['url'] for event in self._named('Network.requestWillBeSent')]
        return Look(
            complaints=[json.dumps(event) for name in COMPLAINTS for event in self._named(name)],
            requests=[url for url in urls if url != page.as_uri() and not url.startswith('data:')],
            page=shown,
            screen=imread(io.BytesIO(base64.b64decode(picture))),
        )

    def close(self) -> None:
        """End the process."""
        os.close(self._to)  # which tells it to leave
        os.close(self._from)
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _named(self, name: str) -> list[dict[str, Any]]:
        return [event['params'] for event in self._events if event['method'] == name]

    def _ask(self, method: str, session: str = '', **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; events that come meanwhile are kept."""
        self._number += 1
        call = {'id': self._number, 'method': method, 'params': params}
        if session:
            call['sessionId'] = session
        os.write(self._to, json.dumps(call).encode() + b'\0')
        while (answer := self._next()).get('id') != self._number:
            self._events.append(answer)
        assert 'error' not in answer, f'{method}: {answer}'
        result = answer['result']
        assert isinstance(result, dict)
        return result

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while b'\0' not in self._received:
            ready, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            received = os.read(self._from, 1 << 20) if ready else b''
            assert received, f'the browser said nothing for {PATIENCE_S:g} s, or left'
            self._received += received
        message, _, self._received = self._received.partition(b'\0')
        said = json.loads(message)
        assert isinstance(said, dict)
        return said


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f'no Chromium or Chrome on this machine; install one: {INSTALL}')
    running = Browser(found, tmp_path_factory.mktemp('browser'))
    yield running
    running.close()


@pytest.fixture(scope='module')
def page(
    report_run: ReportRun, channels: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """All that a report can hold: two runs at both precisions."""
    path = tmp_path_factory.mktemp('report') / 'report.html'
    normal = judge('arm_normal', report_run.result.trace, [], tolerance_s=1.0)
    write_report(
        path,
        [report_run, ReportRun(normal, report_run.recording, normal)],
        channels=channels,
        title='Evaluation of arm.safetensors',
        facts={'command': 'taolora evaluate arm.safetensors arm_faults --report report.html'},
        detection=DetectionConfig(),
    )
    return path


@pytest.mark.parametrize('width', [WIDE, NARROW])
def test_report_shows_without_complaint_network_or_sideways_scrolling(
    browser: Browser, page: Path, width: int
) -> None:
    look = browser.look(page, width=width)
    assert look.complaints == []
    assert look.requests == []
    assert look.page['width'] <= width
    assert look.page['deadLinks'] == []


def test_every_picture_is_decoded_painted_and_told_in_words(browser: Browser, page: Path) -> None:
    look = browser.look(page, width=WIDE)
    pictures = look.page['pictures']
    assert len(pictures) == 4 + 2 + 2  # curves, fidelity, runs
    for picture in pictures:
        assert picture['natural'] > 0
        assert picture['alt']
        edges = {side: picture[side] for side in ('left', 'right', 'top', 'bottom')}
        assert edges['right'] - edges['left'] > 300
        assert look.colors(**edges) > 20, f'blank: {picture["alt"]}'


def test_tables_fit_a_wide_window_and_have_headers(browser: Browser, page: Path) -> None:
    look = browser.look(page, width=WIDE)
    assert look.page['wideTables'] == 0
    assert look.page['bareTables'] == 0


def test_words_of_the_report_are_on_the_page(browser: Browser, page: Path) -> None:
    text = browser.look(page, width=WIDE).page['text']
    for words in (
        'Evaluation of arm.safetensors',
        'payload slip',
        'missed',
        'false alarm',
        '/imu/data:linear_acceleration.x',
        'Share of tokens on the FP16 path',
        'both precisions found 1, 4 bits alone 0, FP32 alone 1',
    ):
        assert words in text


def test_report_without_labels_or_tokens_shows_too(
    browser: Browser, report_run: ReportRun, channels: list[str], tmp_path: Path
) -> None:
    bare = judge('bare', report_run.result.trace, None, tolerance_s=1.0)
    path = tmp_path / 'bare.html'
    write_report(path, [ReportRun(bare)], channels=channels, title='Bare', facts={})
    look = browser.look(path, width=WIDE)
    assert look.complaints == []
    assert [picture['natural'] > 0 for picture in look.page['pictures']] == [True]


def test_the_browser_sees_what_a_bad_page_does(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / 'bad.html'
    path.write_text(
        '<!DOCTYPE html><body style="margin:0"><img alt="torn" src="data:image/png;base64,AAAA">'
        '<img src="http://example.invalid/far.png"><script>console.error("Oh")</script>'
        '<div style="width:3000px">wide</div><a href="#nowhere">lost</a>'
        '<table><tr><td>1</td></tr></table>',
        encoding='utf-8',
    )
    look = browser.look(path, width=WIDE)
    assert any('Oh' in complaint for complaint in look.complaints)
    assert look.requests == ['http://example.invalid/far.png']
    assert look.page['width'] == 3000
    assert [picture['natural'] for picture in look.page['pictures']] == [0, 0]
    assert look.page['deadLinks'] == ['#nowhere']
    assert look.page['bareTables'] == 1
    assert look.colors(0, 100, 500, 800) == 1


def test_page_of_its_own_accord_keeps_a_browser_from_the_network(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    spoiled = tmp_path / 'spoiled.html'
    far = '<img alt="far" src="http://example.invalid/far.png"></body>'
    spoiled.write_text(page.read_text(encoding='utf-8').replace('</body>', far), encoding='utf-8')
    look = browser.look(spoiled, width=WIDE)
    assert any('Content Security Policy' in complaint for complaint in look.complaints)
