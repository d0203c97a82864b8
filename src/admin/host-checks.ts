// The checks of this machine: directories, log files, state directory, kernel limits. They write
// and remove one probe file in --state-dir, and change nothing else.

import {
  accessSync,
  constants,
  existsSync,
  globSync,
  readdirSync,
  realpathSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MiB } from '../byte-units.ts';
import { logRootsOf } from '../log-roots.ts';
import type { Config } from '../options/options.ts';
import { errorTable, hasCode } from '../errors.ts';
import { readText } from '../host/cgroup.ts';
import { bytesText, countText, pluralText } from '../number-text.ts';
import { isUnder, realRoots } from '../real-roots.ts';
import { fail, type Finding, ok, reasonOf, warn } from './finding.ts';

/** Tests use their own. */
export type LimitFiles = { readonly inotifyDir: string; readonly processLimits: string };

export const linuxLimitFiles: LimitFiles = {
  inotifyDir: '/proc/sys/fs/inotify',
  processLimits: '/proc/self/limits',
};

/** Enough to find out what is wrong with a node; each costs three system calls. */
const linksMax = 2_000;
/** chokidar and the idle files take one each. */
const inotifyInstancesMin = 8;
const stateBytesMin = 64 * MiB;
/** Descriptors beside those of the log files: sockets, store, threads. */
const otherDescriptors = 64;
/** The live file, a rotated one, and one that is being opened. */
const descriptorsPerContainer = 3;

export function checkHost(config: Config, limitFiles: LimitFiles): Finding[] {
  const isRaw = config.format === 'raw';
  const links = isRaw ? globSync([...config.rawPath]) : listLinks(config.containersDir);
  return [
    ...(isRaw ? [checkRawPath(config, links)] : checkContainersDir(config, links)),
    checkLogRoots(config),
    checkStateDir(config.stateDir),
    ...checkInotify(limitFiles.inotifyDir, links.length),
    checkDescriptors(limitFiles.processLimits, links.length),
  ];
}

function listLinks(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.log'));
  } catch {
    return []; // checkContainersDir says why.
  }
}

function checkRawPath({ rawPath }: Config, files: readonly string[]): Finding {
  const [name, patterns] = ['raw-path', rawPath.join(', ')];
  if (files.length > 0) return ok(name, `${pluralText(files.length, 'file')} of ${patterns}`);
  return warn(name, `no file matches ${patterns}`, 'Give --raw-path, one for each pattern.');
}

function checkContainersDir(config: Config, links: readonly string[]): Finding[] {
  const name = 'containers-dir';
  const directory = config.containersDir;
  try {
    accessSync(directory, constants.R_OK | constants.X_OK);
    if (!statSync(directory).isDirectory()) throw new Error('it is no directory');
  } catch (error) {
    const advice = 'Give --containers-dir; in a pod, mount it from the node read-only (hostPath).';
    return [fail(name, `${directory}: ${reasonOf(error)}`, advice)];
  }
  const faults = new Map<string, string[]>();
  const roots = realRoots(config.logRoot);
  for (const link of links.slice(0, linksMax)) {
    const fault = faultOf(join(directory, link), roots);
    if (fault !== undefined) faults.set(fault, [...(faults.get(fault) ?? []), link]);
  }
  const faulty = [...faults.values()].reduce((sum, { length }) => sum + length, 0);
  const findings = [logsFound(config, { links: links.length, faulty })];
  for (const [fault, named] of faults) {
    const text = `${pluralText(named.length, 'log')}: ${linkFaults[fault]?.text}, such as ${named[0]}`;
    findings.push(warn(name, text, linkFaults[fault]?.advice ?? ''));
  }
  return findings;
}

function logsFound(
  { containersDir, logRoot }: Config,
  { links, faulty }: { readonly links: number; readonly faulty: number },
): Finding {
  const name = 'containers-dir';
  if (links > faulty) return ok(name, `${containersDir} has ${pluralText(links, 'log')}`);
  const text =
    links === 0
      ? `${containersDir} holds no log`
      : `${containersDir} has ${pluralText(links, 'link')}, but none leads to a log under ${logRoot.join(' or ')}`;
  return warn(name, text, errorTable.CONTAINERS_MISSING.advice);
}

const linkFaults: Readonly<Record<string, { readonly text: string; readonly advice: string }>> = {
  dangling: {
    text: 'the link leads nowhere',
    advice: 'Some at a time are pods just gone; all of them mean that the log root is not mounted.',
  },
  refused: {
    text: 'the link leads outside every --log-root or to no regular file',
    advice: errorTable.LINK_REFUSED.advice,
  },
  unreadable: {
    text: 'the file may not be read',
    advice: 'Run as root, or with CAP_DAC_READ_SEARCH.',
  },
};

function faultOf(link: string, roots: readonly string[]): string | undefined {
  let target: string;
  try {
    target = realpathSync(link);
  } catch (error) {
    return hasCode(error, 'EACCES') ? 'unreadable' : 'dangling';
  }
  if (!isUnder(target, roots)) return 'refused';
  try {
    if (!statSync(target).isFile()) return 'refused';
    accessSync(target, constants.R_OK);
  } catch {
    return 'unreadable';
  }
  return undefined;
}

function checkLogRoots(config: Config): Finding {
  const roots = logRootsOf(config);
  const present = roots.filter((root) => existsSync(root));
  if (present.length > 0) return ok('log-root', present.join(', '));
  const advice = 'Give --log-root; in a pod, mount it from the node read-only (hostPath).';
  return fail('log-root', `none of ${roots.join(', ')} exists`, advice);
}

function checkStateDir(directory: string): Finding {
  const name = 'state-dir';
  const { advice } = errorTable.STATE_UNWRITABLE;
  // The agent creates the directory: then its nearest parent must allow that.
  let present = directory;
  while (!existsSync(present) && dirname(present) !== present) present = dirname(present);
  try {
    if (present === directory) writeProbe(directory);
    else accessSync(present, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(present);
    const free = bytesText(bavail * bsize);
    const text = `${directory} ${present === directory ? 'is writable' : 'will be made'}, ${free} free`;
    return bavail * bsize < stateBytesMin ? warn(name, text, advice) : ok(name, text);
  } catch (error) {
    return fail(name, `${directory}: ${reasonOf(error)}`, advice);
  }
}

/** On a full disk files can be created and opened, but not written. */
function writeProbe(directory: string): void {
  const probe = join(directory, '.tailship-check');
  try {
    writeFileSync(probe, 'tailship check\n', { flush: true });
  } finally {
    rmSync(probe, { force: true }); // It exists, and is empty, on a full disk.
  }
}

function checkInotify(directory: string, containers: number): Finding[] {
  const wanted = { max_user_instances: inotifyInstancesMin, max_user_watches: containers + 16 };
  return Object.entries(wanted).map(([file, least]) => {
    const name = `inotify ${file}`;
    const text = readText(join(directory, file));
    if (text === undefined) {
      return warn(name, 'cannot be read', 'Files are polled where inotify is missing: more CPU.');
    }
    const limit = Number(text);
    if (limit >= least) return ok(name, countText(limit));
    const advice = `sysctl fs.inotify.${file}=${least * 16}; without it files are polled: more CPU.`;
    return warn(name, `${countText(limit)}; at least ${countText(least)} are wanted`, advice);
  });
}

function checkDescriptors(file: string, containers: number): Finding {
  const name = 'open files';
  const wanted = containers * descriptorsPerContainer + otherDescriptors;
  const text = readText(file);
  if (text === undefined) {
    return warn(name, `${file} cannot be read`, `Make sure that ulimit -n is at least ${wanted}.`);
  }
  const [, limit] = /^Max open files\s+(\d+|unlimited)/m.exec(text) ?? [];
  const soft = limit === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(limit);
  if (soft >= wanted) return ok(name, `RLIMIT_NOFILE is ${countText(soft)}`);
  const advice = `Raise it (ulimit -n ${wanted * 4}); idle files are closed and opened again meanwhile.`;
  return warn(name, `RLIMIT_NOFILE is ${soft}, ${countText(wanted)} are wanted`, advice);
}
