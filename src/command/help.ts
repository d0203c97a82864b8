// The texts of --help, made from the option table, so that help, parser and defaults cannot differ.

import { type Command, type ConfigKey, commands, type OptionRow } from '../options/options.ts';
import { configKeys, flagOf, rowOf, variableOf } from '../options/config-loader.ts';
import { listKinds } from '../options/option-row.ts';
import { valueText } from '../options/option-value.ts';

type CommandText = {
  readonly summary: string;
  /** The words after the command. */
  readonly usage?: string;
  readonly about: string;
  readonly examples: readonly string[];
};

const commandTexts: Readonly<Record<Command, CommandText>> = {
  run: {
    summary: 'tail the container logs of this node and ship them',
    about:
      'Reads every log under --containers-dir, makes the LogEntry that GKE would write of each line, and\n' +
      'sends it to Cloud Logging. Positions are saved in --state-dir after the answer, so that no line is\n' +
      'lost or shown twice, whenever the agent is stopped or killed. SIGTERM ends it within --grace-ms; a\n' +
      'second one does not wait. With --once it ships what is there and prints a one-line JSON summary: files,\n' +
      'lines, bytes, entries, batches, retries, deadLettered, fastPathLines, leftBytes, cpuSeconds, wallSeconds,\n' +
      'and stoppedBy when a signal came first. Then, and when bytes are left or there is no log, it exits with 1.',
    examples: [
      'tailship run --project my-project --cluster prod --location europe-west1 --node "$(hostname)"',
      'tailship run --endpoint http://127.0.0.1:8085 --project demo --once',
    ],
  },
  emulator: {
    summary: 'a local Cloud Logging for development and tests',
    about:
      'Serves POST /v2/entries:write and /v2/entries:list on 127.0.0.1, and under /emulator/ statistics,\n' +
      'the stored entries and faults. The first line on stdout is {"listening":"http://127.0.0.1:PORT"}.',
    examples: ['tailship emulator --port 8085 --data entries.db', 'tailship emulator --port 0'],
  },
  demo: {
    summary: 'emulator, synthetic pods, agent and page in one; needs nothing else',
    about:
      'Runs all of tailship on this machine in a directory of its own, with pods that write logs.',
    examples: ['tailship demo', 'tailship demo --join-stack-traces --admin-address 127.0.0.1:9000'],
  },
  check: {
    summary: 'say what is wrong with configuration, paths, limits, credentials, permission',
    about:
      'Prints one line per check (ok, warn, fail) with what to do; with --verbose also each option and\n' +
      'where it came from. A dry run is sent to the endpoint: it proves the permission and stores nothing.\n' +
      'Takes the options of run.',
    examples: ['tailship check --config /etc/tailship.yaml', 'tailship check --json'],
  },
  top: {
    summary: 'live table of the workloads of a running agent',
    about: 'Reads /api/status of the agent at --admin-address; the busiest container comes first.',
    examples: ['tailship top', 'tailship top --admin-address 10.0.0.7:8090 --once --json'],
  },
  tail: {
    summary: 'what a container writes from now on, as it is shipped',
    usage: '[NAMESPACE/]POD[/CONTAINER] [--filter RE2] [--json] [options of run]',
    about:
      'Reads the log files itself, read-only, from their ends on, beside a running agent or without one, and\n' +
      'prints the entries that run would ship: roots, --exclude, --redact and rules hold. --filter shows those\n' +
      'whose text matches; --json prints entries. Ctrl-C ends it. Give it the options of the agent.',
    examples: [
      'tailship tail shop/cart-0 --config /etc/tailship/tailship.yaml',
      "tailship tail 'checkout-*/api' --filter '(?i)error|timeout'",
    ],
  },
  bench: {
    summary: 'what the lines of this node cost, on its own log files, read-only',
    about:
      'Follows for 20 s what this node writes, then reads its logs once, and posts all to a sink of its own\n' +
      'on 127.0.0.1, with a state directory that is thrown away: nothing is changed, nothing leaves the\n' +
      'node. Says which share of a core the agent takes here, what a line costs, and what it costs fluentd\n' +
      'where that is installed.',
    examples: ['tailship bench', 'tailship bench --containers-dir /var/log/containers --json'],
  },
  manifests: {
    summary: 'print what kubectl needs to run the agent on every node',
    usage:
      '--image NAME@sha256:… [--gke] [--key-secret NAME] [--take-over AGENT=FILE] [options of run]',
    about:
      'Prints the objects of deploy/base with these words in them, for those without Helm and kustomize.\n' +
      "--gke leaves the namespaces of GKE's own agent to it and asks for Workload Identity. --key-secret\n" +
      'mounts a Secret with key.json. --take-over fluentd|fluent-bit=FILE takes over positions on each node\n' +
      'first. Options of run go into the ConfigMap, as do those of a file that --config names; variables do not.',
    examples: [
      'tailship manifests --image registry.example.com/tailship@sha256:… --gke | kubectl apply -f -',
      'tailship manifests --image … --key-secret tailship-key --project P --cluster C --location L | kubectl diff -f -',
    ],
  },
  'dead-letters': {
    summary: 'what Cloud Logging refused: list it, show it, send it again, clear it',
    usage: 'list|show|resend|clear [ID]... [options]',
    about:
      'Reads dead-letter.ndjson in --state-dir, beside a running agent or without one. list names the newest\n' +
      '1,000 by ID, reason and container; show prints entries, the newest ten without an ID; resend sends them\n' +
      'to --endpoint with their insertIds, so that none is shown twice, and keeps what is refused again; clear\n' +
      'drops them. Without an ID, resend and clear mean all. The exit code of resend is 1 if some are left.',
    examples: [
      'kubectl -n tailship exec POD -- /opt/tailship/bin/node /opt/tailship/src/main.ts dead-letters list --config /etc/tailship/tailship.yaml',
      'tailship dead-letters show 1f0a3c9d2b --json',
    ],
  },
  rules: {
    summary: 'try rules on lines, and say which rules a running container has',
    usage: 'test --rules FILE --input FILE|- | explain POD [options]',
    about:
      'test encodes the lines of --input without the rules and with them, and prints both as a diff, which\n' +
      'rules did something, and what a line costs. Lines are as in a log file, if the first is, or text. Every\n' +
      'rule is tried, unless --namespace, --pod and --container say whose lines they are. explain asks the\n' +
      'agent at --admin-address which rules the containers of a pod have, and why.',
    examples: [
      'tailship rules test --rules rules.yaml --input app.log --namespace shop',
      'echo "level=warn msg=hi" | tailship rules test --rules rules.yaml --input -',
      'tailship rules explain shop/web-0',
    ],
  },
  completion: {
    summary: 'completion of commands, options and values for a shell',
    usage: 'bash|zsh|fish',
    about: 'Prints a script for the shell, made from the table of options.',
    examples: [
      'source <(tailship completion bash)',
      'tailship completion fish > ~/.config/fish/completions/tailship.fish',
    ],
  },
  convert: {
    summary: 'print the configuration of fluentd or Fluent Bit as one of tailship',
    usage: 'fluentd|fluent-bit FILE...',
    about:
      "Reads configuration files with what they include, or the YAML of a ConfigMap or of a chart's values that\n" +
      'holds them, and prints YAML for --config. Comments at its end say what was taken over, what changes and\n' +
      'what has no equivalent, with file and line; stderr repeats the last two. A FILE of - is stdin. Nothing is sent.',
    examples: [
      'tailship convert fluentd fluent.conf > tailship.yaml',
      'kubectl get configmap fluent-bit -o yaml | tailship convert fluent-bit -',
    ],
  },
  migrate: {
    summary: 'take over the positions of fluentd or Fluent Bit',
    usage: '--from fluentd|fluent-bit FILE [options]',
    about:
      'Reads the pos file of fluentd or the database of Fluent Bit, and saves for each container of this\n' +
      'node how far it was read, so that the switch neither loses nor repeats lines. Run it when the other\n' +
      'agent has stopped and before `tailship run`; a second time it changes nothing. FILE may also be the\n' +
      "agent's configuration (.conf, .yaml), which names that file. FILE is not changed; if it does not\n" +
      'exist, that is an error unless --missing-ok is given. Prints a one-line JSON summary.',
    examples: [
      'tailship migrate --from fluentd /var/log/fluentd-containers.log.pos --dry-run',
      'tailship migrate --from fluent-bit /fluent-bit/etc/fluent-bit.conf',
    ],
  },
};

const exitCodes = [
  'Exit codes:',
  '  0  done, or stopped by a signal with everything saved (run --once: only if everything was shipped)',
  '  1  an operating failure; one line on stderr says `tailship: CODE: what happened`, the next what to do',
  '  2  a wrong flag, variable, key or value',
];

export function helpText(version: string): string {
  const width = Math.max(...commands.map((command) => command.length));
  return [
    `tailship ${version}: tails the container logs of a Kubernetes node and ships them to Google Cloud Logging`,
    '',
    'Usage: tailship COMMAND [options]',
    '',
    'Commands:',
    ...commands.map((command) => `  ${command.padEnd(width)}  ${commandTexts[command].summary}`),
    '',
    'tailship COMMAND --help   options of a command',
    'tailship --version        version of tailship',
    '',
    'An option is given on the command line (--state-dir DIR), in the environment (TAILSHIP_STATE_DIR) or in the',
    'YAML file of --config (stateDir: DIR). The command line wins over the environment, the environment over the file.',
    '',
    'Try it, with nothing to set up:  tailship demo',
    '',
    ...exitCodes,
  ].join('\n');
}

export function commandHelpText(command: Command): string {
  const text = commandTexts[command];
  const keys = configKeys.filter((key) => rowOf(key).commands.includes(command));
  return [
    `Usage: tailship ${command} ${text.usage ?? '[options]'}`,
    '',
    text.about,
    '',
    ...(keys.length > 0
      ? [
          'Options (each also as the variable and the key of the YAML file below it):',
          ...keys.flatMap((key) => optionLines(key, command)),
          '',
        ]
      : []),
    'Sizes may be written as 512Ki or 2Mi, times as 500ms, 5s, 1m or 1h. A boolean is --name, --no-name or --name=false.',
    ...(command === 'run'
      ? [
          'A changed file is read at once, and at SIGHUP: options that are (hot) hold from then on, the others at the',
          'next start. An invalid file changes nothing.',
        ]
      : []),
    '',
    'Examples:',
    ...text.examples.map((example) => `  ${example}`),
    '',
    ...exitCodes,
  ].join('\n');
}

function optionLines(key: ConfigKey, command: Command): string[] {
  const row = rowOf(key);
  const flag = `  ${flagOf(key)}${row.kind === 'boolean' ? '' : ` ${placeholderOf(row)}`}`;
  const inVariable =
    row.kind === 'redactions' ? 'one in the variable' : 'in the variable comma-separated';
  const repeat = listKinds.has(row.kind) ? `  (repeatable; ${inVariable})` : '';
  const names = [`[${valueText(row.default)}]`, variableOf(key), ...(row.foreignVariables ?? [])];
  if (key !== 'config') names.push(key);
  if (row.isHot === true && command === 'run') names.push('(hot)');
  return [`${flag}${repeat}`, `        ${row.help}`, `        ${names.join('  ')}`];
}

/** The usual names of values by kind. */
const placeholders: Partial<Record<OptionRow['kind'], string>> = {
  text: 'NAME',
  url: 'URL',
  path: 'FILE',
  paths: 'DIR',
  globs: 'NAMESPACE/POD/CONTAINER',
  milliseconds: 'MS',
  bytes: 'BYTES',
};

function placeholderOf({ choices, placeholder, kind }: OptionRow): string {
  return choices?.join('|') ?? placeholder ?? placeholders[kind] ?? 'N';
}

export function commandSummary(command: Command): string {
  return commandTexts[command].summary;
}
