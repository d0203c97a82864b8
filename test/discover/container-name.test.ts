import { expect, test } from 'vitest';

import { namesItsContainer, parseContainerName } from '../../src/discover/container-name.ts';

const id = '4f0c9b7de1a2c3556677889900aabbccddeeff00112233445566778899aabb01';
const uid = '0b6f0c55-6a57-4d0e-9d0c-1f2e3d4c5b6a';
const staticUid = '8f9c1d2e3b4a59687786951a2b3c4d5e';

const cases: {
  name: string;
  link: string;
  target: string;
  expected: ReturnType<typeof parseContainerName>;
}[] = [
  {
    name: 'a link and a target that agree',
    link: `checkout-7c9d5f6b8-x2k4q_shop_api-${id}.log`,
    target: `/var/log/pods/shop_checkout-7c9d5f6b8-x2k4q_${uid}/api/3.log`,
    expected: {
      namespace: 'shop',
      pod: 'checkout-7c9d5f6b8-x2k4q',
      container: 'api',
      podUid: uid,
      restartCount: 3,
    },
  },
  {
    name: 'a link that was cut within the container',
    link: 'very-long-pod_namespace-number-one_container-with.log',
    target: `/var/log/pods/namespace-number-one_very-long-pod-and-more_${uid}/container-with-a-long-name/0.log`,
    expected: {
      namespace: 'namespace-number-one',
      pod: 'very-long-pod-and-more',
      container: 'container-with-a-long-name',
      podUid: uid,
      restartCount: 0,
    },
  },
  {
    name: 'a link that lies, beside a target that does not',
    link: `other_kube-system_root-${id}.log`,
    target: `/var/log/pods/shop_web_${uid}/api/0.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: uid, restartCount: 0 },
  },
  {
    name: 'a static pod, with dots of the node in its name and a hash for a uid',
    link: `kube-proxy-gke-blue.pool.1_kube-system_kube-proxy-${id}.log`,
    target: `/var/log/pods/kube-system_kube-proxy-gke-blue.pool.1_${staticUid}/kube-proxy/12.log`,
    expected: {
      namespace: 'kube-system',
      pod: 'kube-proxy-gke-blue.pool.1',
      container: 'kube-proxy',
      podUid: staticUid,
      restartCount: 12,
    },
  },
  {
    name: 'the pods directory on another disk',
    link: `web_shop_api-${id}.log`,
    target: `/mnt/disks/ssd0/logs/shop_web_${uid}/api/0.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: uid, restartCount: 0 },
  },
  {
    name: 'an old kubelet that names the directory by uid alone',
    link: `web.v1_shop_api-${id}.log`,
    target: `/var/log/pods/${uid}/api/4.log`,
    expected: { namespace: 'shop', pod: 'web.v1', container: 'api', podUid: uid, restartCount: 4 },
  },
  {
    name: 'an older kubelet that puts the container into the file name',
    link: `web_shop_api-${id}.log`,
    target: `/var/log/pods/${uid}/api_2.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: uid, restartCount: 2 },
  },
  {
    name: "docker's file, whose directory is the id",
    link: `web_shop_api-${id}.log`,
    target: `/var/lib/docker/containers/${id}/${id}-json.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: id, restartCount: 0 },
  },
  {
    name: "docker's file behind a link whose id was cut",
    link: 'web_shop_api-4f0c9b7d.log',
    target: `/var/lib/docker/containers/${id}/${id}-json.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: id, restartCount: 0 },
  },
  {
    name: 'a link alone: its id stands for the uid',
    link: `web_shop_api-gateway-${id}.log`,
    target: `/srv/logs/web_shop_api-gateway-${id}.log`,
    expected: {
      namespace: 'shop',
      pod: 'web',
      container: 'api-gateway',
      podUid: id,
      restartCount: 0,
    },
  },
  {
    name: 'a link alone, cut within its id',
    link: 'web_shop_api-gateway-c9b7d.log',
    target: '/srv/logs/elsewhere.log',
    expected: {
      namespace: 'shop',
      pod: 'web',
      container: 'api-gateway',
      podUid: 'c9b7d',
      restartCount: 0,
    },
  },
  {
    name: 'a link alone, cut right before its id: the whole name stands for the uid',
    link: 'web_shop_api-.log',
    target: '/srv/logs/elsewhere.log',
    expected: {
      namespace: 'shop',
      pod: 'web',
      container: 'api',
      podUid: 'web_shop_api-.log',
      restartCount: 0,
    },
  },
  {
    name: 'a link alone, cut within the container',
    link: 'web_shop_gatew.log',
    target: '/srv/logs/elsewhere.log',
    expected: {
      namespace: 'shop',
      pod: 'web',
      container: 'gatew',
      podUid: 'web_shop_gatew.log',
      restartCount: 0,
    },
  },
  {
    name: 'a container whose name ends in hexadecimal digits',
    link: `web_shop_cafe-beef-${id}.log`,
    target: '/srv/logs/elsewhere.log',
    expected: {
      namespace: 'shop',
      pod: 'web',
      container: 'cafe-beef',
      podUid: id,
      restartCount: 0,
    },
  },
  {
    name: 'names that are one digit each',
    link: `0_1_2-${id}.log`,
    target: '/pods/1_0_3/2/4.log',
    expected: { namespace: '1', pod: '0', container: '2', podUid: '3', restartCount: 4 },
  },
  {
    name: 'a directory of three parts that holds no numbered log, as any temporary directory may',
    link: `web_shop_api-${id}.log`,
    target: `/tmp/a_b_c/containers/web_shop_api-${id}.log`,
    expected: { namespace: 'shop', pod: 'web', container: 'api', podUid: id, restartCount: 0 },
  },
  { name: 'neither', link: 'syslog.log', target: '/var/log/syslog', expected: undefined },
  {
    name: 'a link with too few parts',
    link: `web_api-${id}.log`,
    target: '/x',
    expected: undefined,
  },
  {
    name: 'a link with too many parts',
    link: `a_b_c_d-${id}.log`,
    target: '/x',
    expected: undefined,
  },
  {
    name: 'empty parts',
    link: `__-${id}.log`,
    target: '/var/log/pods/__/api/0.log',
    expected: undefined,
  },
  { name: 'another suffix', link: `web_shop_api-${id}.txt`, target: '/x', expected: undefined },
  {
    name: 'an old path without a link to name the pod',
    link: 'x.log',
    target: `/var/log/pods/${uid}/api/0.log`,
    expected: undefined,
  },
  { name: 'nothing', link: '', target: '', expected: undefined },
  { name: 'a root', link: '.log', target: '/', expected: undefined },
];

for (const { name, link, target, expected } of cases) {
  test(`\`parseContainerName()\` reads ${name}`, () => {
    expect(parseContainerName(link, target)).toEqual(expected);
  });
}

test('`parseContainerName()` keeps names of the greatest lengths whole', () => {
  const pod = 'p'.repeat(253);
  const namespace = 'n'.repeat(63);
  const container = 'c'.repeat(63);
  const link = `${`${pod}_${namespace}`.slice(0, 251)}.log`;
  expect(
    parseContainerName(link, `/var/log/pods/${namespace}_${pod}_${uid}/${container}/0.log`),
  ).toEqual({
    namespace,
    pod,
    container,
    podUid: uid,
    restartCount: 0,
  });
});

test('a restart count that no counter reaches is no numbered log', () => {
  expect(
    parseContainerName('x.log', `/var/log/pods/shop_web_${uid}/api/${'9'.repeat(30)}.log`),
  ).toBe(undefined);
});

test("only the kubelet's present layout names its container by itself", () => {
  expect(namesItsContainer(`/x/shop_web_${uid}/api/0.log`)).toBe(true);
  expect(namesItsContainer(`/x/${uid}/api/0.log`)).toBe(false);
  expect(namesItsContainer(`/var/lib/docker/containers/${id}/${id}-json.log`)).toBe(false);
});
