// What entries say about their pod: its labels and its top-level controller, as JSON text that is
// made once per change of the pod. Sources: GKE's entries and, for the controller, GKE's event
// exporter.
//
// Invariant: the text has no key twice, at most `podLabelsMax` labels and `podLabelsBytesMax`
// bytes: the encoder cannot drop any, and the API takes 64 labels an entry.

import { limits } from '../../config.ts';
import { isObject } from '../../json-value.ts';

export type PodFacts = {
  /** As in the path of its logs: for a static pod the hash of its manifest. */
  readonly uid: string;
  readonly namespace: string;
  readonly pod: string;
  /** Members of the entries' labels, without braces; may be ''. */
  readonly labels: string;
  /** Those for a log agent; undefined: there are none. */
  readonly annotations: Texts | undefined;
  /** For rules: labels and annotations that are not long. */
  readonly texts: PodTexts;
  /** Labels that do not fit. */
  readonly labelsCut: number;
};

export type PodTexts = { readonly labels: Texts; readonly annotations: Texts };

type Texts = Readonly<Record<string, string>>;
type Owner = { readonly kind: string; readonly name: string };

const typeKey = 'logging.gke.io/top_level_controller_type';
const nameKey = 'logging.gke.io/top_level_controller_name';
/** The API truncates longer keys, which could make two of them one. */
const keyBytesMax = 512;
/** Longer annotations are ignored. */
const annotationLengthMax = 1_000;

/** Takes a pod or its PartialObjectMetadata; undefined: it is none. */
export function describePod(object: unknown): PodFacts | undefined {
  const metadata = asRecord(asRecord(object)['metadata']);
  const { uid, namespace, name } = metadata;
  if (typeof uid !== 'string' || typeof namespace !== 'string' || typeof name !== 'string') {
    return undefined;
  }
  const labels = textsOf(metadata['labels']);
  const annotations = textsOf(metadata['annotations']);
  const members = new Map<string, string>();
  const controller = controllerOf(ownersOf(metadata['ownerReferences']), labels);
  // GKE has none of these for its own pods.
  if (controller !== undefined && namespace !== 'kube-system') {
    members.set(typeKey, controller.kind);
    members.set(nameKey, controller.name);
  }
  for (const [key, value] of Object.entries(labels)) {
    const written = `k8s-pod/${key.replaceAll('.', '_')}`;
    // `a.b` and `a_b` become one key, which the API accepts only once.
    if (!members.has(written)) members.set(written, value);
  }
  return {
    uid: annotations['kubernetes.io/config.hash'] ?? uid,
    namespace,
    pod: name,
    annotations: ownAnnotations(annotations),
    texts: { labels: boundedTexts(labels), annotations: boundedTexts(annotations) },
    ...boundedText(members),
  };
}

/** tailship's own, and those of Fluent Bit that it understands. */
const ownKey = /^(?:tailship\.dev\/|fluentbit\.io\/(?:parser|exclude))/;

function ownAnnotations(annotations: Texts): Texts | undefined {
  const own = Object.entries(annotations).filter(
    ([key, value]) => ownKey.test(key) && value.length <= annotationLengthMax,
  );
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

function boundedTexts(texts: Texts): Texts {
  let room: number = limits.podTextsCharactersMax;
  const kept = Object.entries(texts).filter(([key, value]) => {
    const isShort = value.length <= annotationLengthMax && key.length + value.length <= room;
    if (isShort) room -= key.length + value.length;
    return isShort;
  });
  return Object.fromEntries(kept);
}

function boundedText(members: ReadonlyMap<string, string>): { labels: string; labelsCut: number } {
  const texts: string[] = [];
  let bytes = 0;
  for (const [key, value] of members) {
    const text = `${JSON.stringify(key)}:${JSON.stringify(value)}`;
    const textBytes = Buffer.byteLength(text) + 1;
    if (Buffer.byteLength(key) > keyBytesMax || texts.length >= limits.podLabelsMax) continue;
    if (bytes + textBytes > limits.podLabelsBytesMax) continue;
    bytes += textBytes;
    texts.push(text);
  }
  return { labels: texts.join(','), labelsCut: members.size - texts.length };
}

/** The last owner with a controller wins. */
function controllerOf(owners: readonly Owner[], labels: Texts): Owner | undefined {
  let controller: Owner | undefined;
  for (const owner of owners) controller = topLevelOf(owner, labels) ?? controller;
  return controller;
}

/** Derived from the owner's name: looking it up would cost a request per pod. */
function topLevelOf(owner: Owner, labels: Texts): Owner | undefined {
  const { kind, name } = owner;
  switch (kind) {
    case 'DaemonSet':
    case 'StatefulSet':
      return owner;
    case 'ReplicaSet': {
      // <deployment>-<pod-template-hash>, unless the ReplicaSet belongs to no Deployment.
      const hash = labels['pod-template-hash'] ?? '';
      const deployment = hash === '' ? name : name.slice(0, -hash.length - 1);
      if (deployment === '' || name !== `${deployment}-${hash}`) return undefined;
      return { kind: 'Deployment', name: deployment };
    }
    case 'Job': {
      // <cronjob>-<minutes since 1970>, the minutes of 2008 to 2084.
      const [, cronJob] = /^(.+)-[2-5]\d{7}$/.exec(name) ?? [];
      if (cronJob !== undefined) return { kind: 'CronJob', name: cronJob };
      const jobSet = labels['jobset.sigs.k8s.io/jobset-name'] ?? '';
      return jobSet === '' ? owner : { kind: 'JobSet', name: jobSet };
    }
    default:
      return undefined;
  }
}

function ownersOf(written: unknown): Owner[] {
  if (!Array.isArray(written)) return [];
  return written.flatMap((owner: unknown) => {
    const { kind, name } = asRecord(owner);
    return typeof kind === 'string' && typeof name === 'string' ? [{ kind, name }] : [];
  });
}

function textsOf(written: unknown): Texts {
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(asRecord(written))) {
    if (typeof value === 'string') texts[key] = value;
  }
  return texts;
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}
