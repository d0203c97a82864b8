// FakeKubelet against the kubelet's own rules: what is on disk, by name and byte, after each
// step.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeKubelet } from '../../src/emulator/kubelet/fake-kubelet.ts';
import type { FakeKubelet, FakeKubeletOptions } from '../../src/emulator/kubelet/fake-kubelet.ts';
import { accountLines } from '../../src/emulator/kubelet/log-account.ts';
import { createLineSource, lineText } from '../../src/emulator/kubelet/log-lines.ts';
import { writeAtRate } from '../../src/emulator/kubelet/paced-writer.ts';
import { eventually } from '../support/eventually.ts';

let root = '';

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'fake kubelet-'));
});

afterEach(() => {
  fs.rmSync(root, { recursive: true, force: true });
});

const startMs = Date.UTC(2024, 2, 5, 14, 7, 21);

function kubeletOf(options: Partial<FakeKubeletOptions> = {}): FakeKubelet {
  return createFakeKubelet({ root, seed: 7, startMs, ...options });
}

function linesOf(file: string): string[] {
  const text = fs.readFileSync(file, 'utf8');
  expect(text.endsWith('\n') || text === '').toBe(true);
  return text.split('\n').slice(0, -1);
}

function oneContainer(kubelet: FakeKubelet) {
  const pod = kubelet.startPod({ namespace: 'shop', pod: 'cart-0', containers: ['api'] });
  return { pod, container: pod.container() };
}

describe('the files of a pod', () => {
  test('a link named after pod, namespace, container and id leads to the log of run 0', () => {
    const { pod, container } = oneContainer(kubeletOf());
    const link = pod.linkPath(container);
    expect(path.basename(link)).toMatch(/^cart-0_shop_api-[0-9a-f]{64}\.log$/);
    expect(fs.readlinkSync(link)).toBe(container.logPath);
    expect(container.logPath).toBe(path.join(root, 'pods', `shop_cart-0_${pod.uid}`, 'api/0.log'));
    expect(pod.uid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test('a static pod has a uid of 32 hex digits, and a long name loses the end of its link', () => {
    const name = `kube-proxy-${'n'.repeat(170)}`;
    const pod = kubeletOf().startPod({
      namespace: 'kube-system',
      pod: name,
      containers: ['proxy'],
      isStatic: true,
    });
    expect(pod.uid).toMatch(/^[0-9a-f]{32}$/);
    const link = path.basename(pod.linkPath(pod.container()));
    expect(link).toHaveLength(255);
    expect(link).toMatch(/^kube-proxy-n{170}_kube-system_proxy-[0-9a-f]{51}\.log$/);
  });

  test('the third run takes the files and the link of the first with it', () => {
    const kubelet = kubeletOf();
    const { pod, container } = oneContainer(kubelet);
    container.writeNext(3);
    pod.restartContainer(container);
    expect(fs.readdirSync(container.directory)).toEqual(['0.log', '1.log']);
    expect(fs.readdirSync(kubelet.containersDir)).toHaveLength(2);
    container.writeNext(2);
    pod.restartContainer(container);
    expect(fs.readdirSync(container.directory)).toEqual(['1.log', '2.log']);
    expect(fs.readdirSync(kubelet.containersDir)).toHaveLength(2);
    expect(container.account.deleted).toEqual([{ start: 1, end: 4 }]);
  });

  test('a deleted pod loses logs and directory before its links, and comes again with its numbers', () => {
    const kubelet = kubeletOf();
    const { pod, container } = oneContainer(kubelet);
    container.writeNext(5);
    pod.delete({
      beforeLinks: () => {
        expect(fs.existsSync(pod.directory)).toBe(false);
        expect(fs.readdirSync(kubelet.containersDir)).toHaveLength(1);
      },
    });
    expect(fs.readdirSync(kubelet.containersDir)).toEqual([]);
    const again = oneContainer(kubelet).container;
    again.write(['back']);
    expect(linesOf(again.logPath)[0]).toContain(' stdout F seq=6 back');
    expect(again.account.deleted).toEqual([{ start: 1, end: 6 }]);
  });
});

describe('the lines', () => {
  test('containerd drops trailing zeros of the time and cuts only messages over 16,384 bytes', () => {
    const { container } = oneContainer(kubeletOf({ stepNanos: 1_000_000 }));
    const prefix = 'seq=1 '.length;
    container.write([{ text: 'a'.repeat(16_384 - prefix) }, { text: 'é'.repeat(9_000) }]);
    const [whole, begun, ended] = linesOf(container.logPath);
    expect(whole).toMatch(/^2024-03-05T14:07:21\.002Z stdout F seq=1 a+$/);
    expect(begun).toMatch(/^2024-03-05T14:07:21\.003Z stdout P seq=2 /);
    expect(ended).toMatch(/^2024-03-05T14:07:21\.004Z stdout F /);
    const bytes = fs.readFileSync(container.logPath);
    const cutAt = bytes.lastIndexOf(' stdout F ') - '2024-03-05T14:07:21.004Z'.length - 2;
    // 16,384 − 6 is even, so with a seventh byte before it every é would be cut: here none is.
    expect(bytes.subarray(cutAt - 1, cutAt + 1).toString()).toBe('é');
  });

  test('a cut falls inside of a character where the bytes say so', () => {
    const { container } = oneContainer(kubeletOf());
    container.write([{ text: `x${'é'.repeat(9_000)}` }]);
    const bytes = fs.readFileSync(container.logPath);
    const firstEnd = bytes.indexOf(0x0a);
    expect(bytes[firstEnd - 1]).toBe(0xc3);
    expect(linesOf(container.logPath)[1]).toMatch(/ stdout F \ufffd/);
  });

  test('CRI-O writes nine digits, a numeric offset, one time for a read, and an empty F', () => {
    const { container } = oneContainer(kubeletOf({ style: 'crio', utcOffsetMinutes: 60 }));
    container.write([{ text: 'b'.repeat(8_192 - 6) }]);
    const time = '2024-03-05T15:07:21.001001000+01:00';
    expect(linesOf(container.logPath).map((line) => line.replace(/b+/, 'b'))).toEqual([
      `${time} stdout P seq=1 b`,
      `${time} stdout F `,
    ]);
  });

  test('interleaved records take turns chunk by chunk', () => {
    const { container } = oneContainer(kubeletOf());
    const text = 'z'.repeat(40_000);
    container.write([{ text }, { text, stream: 'stderr' }], { interleave: true });
    const heads = linesOf(container.logPath).map((line) => line.slice(line.indexOf(' ') + 1, 38));
    expect(heads.map((head) => head.slice(0, 8))).toEqual([
      'stdout P',
      'stderr P',
      'stdout P',
      'stderr P',
      'stdout F',
      'stderr F',
    ]);
  });

  test('a partial record stays open on its stream until the next one ends it', () => {
    const { container } = oneContainer(kubeletOf());
    container.write([{ text: 'one, ', partial: true }, { text: 'other', stream: 'stderr' }, 'two']);
    container.write([{ text: 'left open', partial: true }]);
    container.writeNext(1);
    expect(container.account.explicit.get(1)?.text).toBe('seq=1 one, two');
    expect(container.account.lines).toBe(4);
    const tags = linesOf(container.logPath).map((line) => line.split(' ').slice(1, 3).join(' '));
    expect(tags.slice(0, 5)).toEqual(['stdout P', 'stderr F', 'stdout F', 'stdout P', 'stdout F']);
  });

  test('every kind writes in both modes exactly what its line source says', () => {
    const kinds = ['text', 'json', 'klog', 'trace', 'unicode', 'blank', 'mixed'] as const;
    for (const writeMode of ['line', 'batch'] as const) {
      const kubelet = createFakeKubelet({ root: path.join(root, writeMode), seed: 3, writeMode });
      for (const kind of kinds) {
        const pod = kubelet.startPod({
          namespace: 'ns',
          pod: kind,
          containers: [{ name: 'c', kind }],
        });
        pod.container().writeNext(700);
        const source = createLineSource({ seed: 3, container: `ns/${kind}/c`, kind });
        for (const [index, line] of linesOf(pod.container().logPath).entries()) {
          const template = source.at(index + 1);
          const [time = '', stream, tag] = line.split(' ', 3);
          const text = line.slice(time.length + ' stdout F '.length);
          expect([stream, tag]).toEqual([template.stream, 'F']);
          const expected = lineText(template, index + 1).replace(/"time":"[^"]*"/, '"time":"T"');
          expect(text.replace(/"time":"[^"]*"/, '"time":"T"')).toBe(expected);
          expect(text.startsWith('{"') && typeof JSON.parse(text) !== 'object').toBe(false);
          const number = Number(/seq"?[=:] *(\d+)/.exec(text)?.[1]);
          expect(text === '' ? index + 1 : number).toBe(index + 1);
        }
        expect(pod.container().account.lines).toBe(700);
      }
    }
  });

  test('equal times stay equal in a file and move on at a rotation', async () => {
    const { container } = oneContainer(kubeletOf({ stepNanos: 0 }));
    container.writeNext(50);
    await container.rotate();
    container.writeNext(1);
    const [rotated = ''] = container.rotatedNames();
    const times = linesOf(path.join(container.directory, rotated)).map(
      (line) => line.split(' ')[0],
    );
    expect(new Set(times).size).toBe(1);
    expect(linesOf(container.logPath)[0]?.split(' ')[0]).not.toBe(times[0]);
  });
});

describe('turning files over', () => {
  test('between rename and reopening the link dangles and lines go to the renamed file', async () => {
    const { pod, container } = oneContainer(kubeletOf());
    container.writeNext(2);
    await container.rotate({
      inGap: () => {
        expect(fs.existsSync(pod.linkPath(container))).toBe(false);
        container.writeNext(3);
        pod.collectLinks();
      },
    });
    container.writeNext(1);
    const [rotated = ''] = container.rotatedNames();
    expect(rotated).toMatch(/^0\.log\.20240305-140721$/);
    expect(linesOf(path.join(container.directory, rotated))).toHaveLength(5);
    expect(linesOf(pod.linkPath(container))).toHaveLength(1);
  });

  test('the newest rotated file stays plain, older ones are compressed, the oldest go', async () => {
    const { container } = oneContainer(kubeletOf({ filesMax: 5 }));
    for (let round = 0; round < 7; round += 1) {
      container.writeNext(10);
      await container.rotate();
    }
    const names = container.rotatedNames();
    expect(names.map((name) => name.endsWith('.gz'))).toEqual([true, true, true, false]);
    expect(container.account.deleted).toEqual([
      { start: 1, end: 11 },
      { start: 11, end: 21 },
      { start: 21, end: 31 },
    ]);
    const packed = fs.readFileSync(path.join(container.directory, names[0] ?? ''));
    expect(zlib.gunzipSync(packed).toString().split('\n')).toHaveLength(11);
  });

  test('compression writes a .tmp first, and a .tmp that was left over is removed', async () => {
    const { container } = oneContainer(kubeletOf());
    container.writeNext(100);
    await container.rotate();
    const leftOver = path.join(container.directory, '0.log.20240101-000000.tmp');
    fs.writeFileSync(leftOver, 'half');
    const seen = new Set<string>();
    const watcher = fs.watch(container.directory, (_, name) => seen.add(String(name)));
    await container.rotate({ gzipPauseMs: 5 });
    await eventually(() => expect([...seen].some((name) => name.endsWith('.gz'))).toBe(true));
    watcher.close();
    expect([...seen].some((name) => /-\d+\.tmp$/.test(name))).toBe(true);
    expect(fs.existsSync(leftOver)).toBe(false);
  });

  test('a record that is cut by a rotation is P in the old file and F in the new one', async () => {
    const { container } = oneContainer(kubeletOf());
    container.writeNext(1);
    await container.rotate({ cutRecord: true });
    const [rotated = ''] = container.rotatedNames();
    expect(linesOf(path.join(container.directory, rotated)).at(-1)).toMatch(/ stdout P seq=2 /);
    expect(linesOf(container.logPath)).toEqual([expect.stringMatching(/ stdout F , ended/)]);
    expect(container.account.explicit.get(2)?.text).toBe(
      'seq=2 begun before the rotation, ended after it',
    );
    container.removeFile(path.join(container.directory, rotated));
    container.removeFile(container.logPath);
    expect(container.account.deleted).toEqual([
      { start: 1, end: 3 },
      { start: 2, end: 3 },
    ]);
  });

  test('a reopening that fails gives the file its name back', async () => {
    const { container } = oneContainer(kubeletOf());
    container.writeNext(1);
    await container.rotateStart();
    container.rotateUndo();
    container.writeNext(1);
    expect(fs.readdirSync(container.directory)).toEqual(['0.log']);
    expect(linesOf(container.logPath)).toHaveLength(2);
  });

  test('CRI-O reopens through 0.log.tmp, so the inode is seen under that name first', async () => {
    const { container } = oneContainer(kubeletOf({ style: 'crio' }));
    const seen = new Set<string>();
    const watcher = fs.watch(container.directory, (_, name) => seen.add(String(name)));
    await container.rotate();
    await eventually(() => expect(seen.has('0.log')).toBe(true));
    watcher.close();
    expect(seen.has('0.log.tmp')).toBe(true);
    expect(fs.existsSync(`${container.logPath}.tmp`)).toBe(false);
  });

  test('copytruncate keeps the inode and enters what it lost, unless a copy is kept', () => {
    const { container } = oneContainer(kubeletOf());
    container.writeNext(4);
    const { ino } = fs.statSync(container.logPath);
    container.copyTruncate();
    container.writeNext(2);
    expect(fs.statSync(container.logPath).ino).toBe(ino);
    expect(linesOf(container.logPath)).toHaveLength(2);
    container.copyTruncate({ keepCopy: true });
    expect(linesOf(`${container.logPath}.1`)).toHaveLength(2);
    expect(container.account.deleted).toEqual([{ start: 1, end: 5 }]);
  });

  test('a replaced file is a new inode under the same name', () => {
    const { container } = oneContainer(kubeletOf({ style: 'crio' }));
    container.writeNext(4);
    const { ino } = fs.statSync(container.logPath);
    container.replaceFile();
    expect(fs.statSync(container.logPath).ino).not.toBe(ino);
    expect(container.account.deleted).toEqual([{ start: 1, end: 5 }]);
  });
});

describe('the account', () => {
  test('one seed gives the same bytes twice', () => {
    const texts = ['a', 'b'].map((name) => {
      const kubelet = createFakeKubelet({ root: path.join(root, name), seed: 11, startMs });
      const { container } = oneContainer(kubelet);
      container.writeNext(300);
      return fs.readFileSync(container.logPath, 'utf8');
    });
    expect(texts[0]).toBe(texts[1]);
  });
});

describe('writing at a rate', () => {
  test('writes rate × time lines evenly over the containers, and rotates full files', async () => {
    const kubelet = createFakeKubelet({ root, seed: 5 });
    const names = ['a', 'b', 'c'];
    for (const pod of names) kubelet.startPod({ namespace: 'ns', pod, containers: ['c'] });
    const result = await writeAtRate({
      linesPerSecond: 3_001,
      seconds: 0.5,
      containers: () => kubelet.containers,
      rotateBytes: 20_000,
      rotateCheckMs: 50,
    });
    expect(result.lines).toBe(1_501);
    expect(accountLines(kubelet.account())).toBe(1_501);
    const shares = kubelet.account().containers.map((container) => container.lines);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
    expect(result.rotations).toBeGreaterThan(0);
    expect(result.seconds).toBeGreaterThanOrEqual(0.49);
  });
});
